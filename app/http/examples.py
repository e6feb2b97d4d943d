"""Bodies of requests as they are really sent, by operation: in /api/openapi.json and on /api/docs.

A test loads each through its schema, so that none is wrong.
"""

from __future__ import annotations

from typing import Any

_DESK = {
    "resource_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "start": "2027-03-01T09:00:00+01:00",
    "end": "2027-03-01T12:30:00+01:00",
}
_DETAILS = {
    "name": "Atelier Dupont SRL",
    "street": "Grand-Place 1",
    "postcode": "7800",
    "town": "Ath",
    "country": "BE",
    "is_business": True,
    "vat_number": "BE0200000043",
}
_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_TERMS = {
    "valid_from": "2027-01-01",
    "price_cents": 12000,
    "includes_vat": False,
    "credits": [{"kind": "desk_pool", "unit": "minutes", "amount": 4800, "weekdays": [0, 1, 2, 3, 4]}],
    "discounts": [{"kind": "room", "percent": 20}],
    "notice_days": 30,
}
_MEMBERSHIP = {"space_id": _ID, "plan_version_id": _ID, "starts_on": "2027-03-15"}
_CLOSURE = {
    "start": "2027-07-21T00:00:00+02:00",
    "end": "2027-07-22T00:00:00+02:00",
    "kind": "closure",
    "reason": "Fête nationale",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "pay_booking": {"mode": "hosted", "return_url": "https://ath.example/paid"},
    "replace_dunning": {
        "active": True,
        "steps": [
            {"after_days": 5, "action": "reminder"},
            {"after_days": 35, "action": "formal_notice", "claims": True},
        ],
    },
    "stop_dunning": {"reason": "Agreed on the phone to pay by the end of the month.", "until": "2027-03-31"},
    "create_token": {"email": "member@passerelle.example", "password": "correct horse battery"},
    "create_member": {
        "email": "ana@example.org",
        "password": "correct horse battery",
        "name": "Ana Dupont",
        "locale": "fr",
    },
    "change_me": {"name": "Ana Dupont-Maes"},
    "replace_billing_details": _DETAILS,
    "replace_employer_billing_details": {**_DETAILS, "purchase_order": "PO-2026-17"},
    "confirm_vat_number": {"vat_number": "BE0200000043", "answer": "yes", "consultation": "WAPIAAAAY7c2xZ1p"},
    "create_quote": _DESK,
    "create_booking": {**_DESK, "title": "Atelier"},
    "change_booking": {"start": "2027-03-01T10:00:00+01:00"},
    "quote_change": {"start": "2027-03-01T10:00:00+01:00"},
    "join_waitlist": _DESK,
    "preview_closure": _CLOSURE,
    "publish_closure": _CLOSURE,
    "create_resource": {"kind": "desk_pool", "name": "Open space", "units": 12, "amenities": ["wifi"]},
    "change_resource": {"description": "Under the roof."},
    "replace_rules": {
        "min_minutes": 60,
        "step_minutes": 30,
        "cancellation": [{"hours_before": 24, "percent": 0}, {"hours_before": 0, "percent": 50}],
    },
    "add_price": {
        "valid_from": "2027-01-01",
        "includes_vat": False,
        "hour_tiers": [{"up_to_minutes": 120, "cents_per_hour": 600}, {"up_to_minutes": None, "cents_per_hour": 400}],
        "day_cents": 2500,
    },
    "create_units": {"names": ["Desk 13", "Desk 14"]},
    "rename_unit": {"name": "Window desk"},
    "replace_opening_hours": {
        "openings": [{"weekday": 0, "opens": "08:30", "closes": "18:00"}],
        "closed_on_holidays": True,
    },
    "create_hours_exception": {"day": "2027-12-24", "openings": [{"opens": "08:30", "closes": "12:00"}]},
    "create_plan": {"name": "Mi-temps", **_TERMS},
    "publish_plan_version": {**_TERMS, "valid_from": "2028-01-01", "price_cents": 12500},
    "move_plan_members": {"from_day": "2028-03-01"},
    "create_team": {"operator_id": _ID, "name": "Atelier du Pont"},
    "take_seat": {"member_id": _ID, "from_day": "2027-03-15"},
    "record_eligibility": {
        "member_id": _ID,
        "status": "student",
        "evidence": "Carte d'étudiant 2026-2027",
        "valid_from": "2026-09-15",
        "expires_on": "2027-09-14",
    },
    "start": _MEMBERSHIP,
    "preview_start": _MEMBERSHIP,
    "change": {"plan_version_id": _ID, "when": "cycle_end"},
    "pause_membership": {"from_day": "2027-07-01", "until_day": "2027-08-31"},
    "resume_membership": {"from_day": "2027-08-16"},
    "give_notice": {"last_day": "2027-06-30"},
    "extend": {"until": "2027-12-31"},
    "preview_act": {"act": "change", "plan_version_id": _ID},
    "create_feed": {"scope": "me", "name": "Phone"},
    "create_webhook": {
        "url": "https://erp.example/hooks/passerelle",
        "event_types": ["booking.*", "space.closed"],
        "operator_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    },
    "change_webhook": {"event_types": ["*"], "state": "active"},
    "rotate_secret": {"old_expires_in_hours": 48},
    "redeliver_missed": {"days": 3},
    "create_credit_note": {
        "lines": [{"no": 1, "percent": 50}, {"no": 3, "amount_cents": 1500}],
        "reason": "Salle sans chauffage",
    },
    "add_charge": {
        "party_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "description": "Café pour vingt personnes",
        "quantity_milli": 20000,
        "unit_price_cents": 250,
        "service_from": "2026-03-01",
    },
    "send_invoice": {"way": "mail"},
    "invoice_now": {"party_id": "01890a5d-ac96-774b-bcce-b302099a8057", "terms_days": 14},
    "close_a_month": {"month": "2026-11"},
    "create_payment": {"invoice_ids": [_ID], "mode": "hosted", "return_url": "https://coworking.example/paid"},
    "create_payment_method": {"operator_id": _ID, "kind": "sepa_debit", "mode": "present", "automatic": True},
    "create_receipt": {"kind": "cash", "amount_cents": 4840, "invoice_ids": [_ID]},
    "create_refund": {"amount_cents": 1210, "reason": "Salle sans chauffage"},
    "close_money_task": {"note": "Rendu en espèces, reçu signé"},
    "open_cash_drawer": {"opening_cents": 15000},
    "count_cash_drawer": {"counted_cents": 19840},
    "replace_payment_account": {"holder": "Coworking Ath SRL", "bic": "GKCCBEBB"},
    "replace_letterhead": {
        "prefix": "ATH",
        "street": "Grand-Place 1",
        "postcode": "7800",
        "town": "Ath",
        "terms_days": 30,
    },
    "make_sepa_files": {"kind": "transfer", "execution_on": "2026-11-23"},
    "cancel_sepa_file": {"reason": "Mauvais jour d'exécution"},
    "reject_sepa_item": {"reason": "AC01"},
    "sign_mandate": {
        "party_id": _ID,
        "reference": "ATH-0017",
        "signed_on": "2026-03-01",
        "debtor_name": "Atelier Dupont SRL",
        "iban": "BE67999000001787",
    },
    "match_bank_line": {"invoices": [{"invoice_id": _ID, "amount_cents": 12100}]},
    "dismiss_bank_line": {"reason": "Loyer, déjà comptabilisé"},
    "change_notification_preferences": {"reminder": False, "digest_weekly": True},
    "send_einvoice": {"format": "peppol"},
    "replace_einvoicing": {"peppol_from": "2027-01-01", "platform_from": None, "platform_format": "ubl-fr"},
}
