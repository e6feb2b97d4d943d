"""Answers as whoever delivers puts them down, and files that are none."""

from __future__ import annotations

UBL_ANSWER = """<?xml version="1.0"?><ApplicationResponse
 xmlns="urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2"
 xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
 xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
<cbc:CustomizationID>urn:fdc:peppol.eu:poacc:trns:{kind}:3</cbc:CustomizationID><cbc:IssueDate>2026-10-02</cbc:IssueDate>
<cbc:IssueTime>10:30:00</cbc:IssueTime>
<cac:DocumentResponse><cac:Response><cbc:ResponseCode>{code}</cbc:ResponseCode>
<cac:Status><cbc:StatusReason>Because</cbc:StatusReason></cac:Status></cac:Response>
<cac:DocumentReference><cbc:ID>{number}</cbc:ID></cac:DocumentReference></cac:DocumentResponse></ApplicationResponse>"""
NO_ANSWERS = (
    b"", b"{", b'{"status": "AP"}', b"<a/>", b'{"number": "X", "status": "ZZ"}', b'{"id": 7, "status": "AP"}',
    b'{"number": 7, "status": "AP"}', b'{"number": ["X"], "status": "AP"}', b'{"number": "X", "status": true}',
    b'{"number": "X", "status": ["AP"]}', b'{"number": "X", "status": "RE", "reason": {"why": 1}}',
    b'{"number": "X", "status": "AP", "at": 7}', b'{"number": "\\u0000", "status": "AP"}',
    b'{"number": "X", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b', "status": "AP"}',
    b'<?xml version="1.0" encoding="nobody-knows"?><a/>', b'<?xml version="1.0" encoding="utf-32"?><a/>',
    b'{"number": "ATH-2026-999999", "status": "AP"}',
)  # fmt: skip
