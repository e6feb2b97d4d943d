"""Fields that the documentation's objects have and that are always null here, by kind; and those that a kind lacks."""

from __future__ import annotations

_INTENT = "application customer_account on_behalf_of payment_method_configuration_details"
NULL = {
    kind: names.split()
    for kind, names in {
        "payment_intent": _INTENT + " application_fee_amount processing review source transfer_data",
        "setup_intent": _INTENT + " flow_directions",
        "charge": "application application_fee application_fee_amount calculated_statement_descriptor on_behalf_of "
        "receipt_number receipt_url review shipping source statement_descriptor_suffix transfer_data",
        "payout": "application_fee application_fee_amount failure_balance_transaction original_payout payout_method "
        "reversed_by statement_descriptor trace_id",
        "customer": "customer_account discount shipping test_clock",
        "dispute": "network_reason_code",
        "mandate": "on_behalf_of",
        "checkout.session": "after_expiration allow_promotion_codes billing_address_collection client_secret consent "
        "consent_collection currency_conversion customer_account invoice invoice_creation origin_context "
        "payment_link payment_method_configuration_details recovered_from shipping_address_collection shipping_cost "
        "submit_type subscription total_details",
    }.items()
}
LACKING = {
    "balance_transaction": ("livemode",),
    "mandate": ("created",),
    "refund": ("livemode",),
    "transfer_reversal": ("livemode",),
}
