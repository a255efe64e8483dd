"""Numbers and codes that point to one person: by their form where it says enough, else by the word before them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from textsynth.privacy.kinds import Identifier, plain_code

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_TLD = r"(?:com|org|net|edu|gov|mil|info|health|care|io|us|uk|ca|co|int|biz|example|test)"
_PHONE = r"(?:\+?1[-. ]{0,2})?(?:\(\d{3}\)|\d{3})[-./ ]{0,3}\d{3}[-. ]\d{4}"
_EXTENSION = r"(?:,?\s*(?:x|ext\.?|extension)\s*#?\d{1,6}\b)?"
_AT = r"(?:@|\s?[\[(]at[\])]\s?|\s[\[(]?at[\])]?\s(?=[\w-]+\s?(?:[\[(]dot[\])]|\sdot\s)))"
_DOT = r"(?:\.|\s?[\[(]dot[\])]\s?|\sdot\s)"
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(form, re.IGNORECASE))
    for kind, form in (
        ("email", rf"[\w.+'-]*\w{_AT}[\w-]+(?:{_DOT}[\w-]+)*{_DOT}[a-z]{{2,}}\b"),
        ("url", r"\b(?:https?|ftp)://[^\s<>\"')\]]*[^\s<>\"')\].,;:]"),
        ("url", r"\bwww\.[^\s<>\"')\]]*[^\s<>\"')\].,;:]"),
        ("url", rf"(?<![\w@.-])[a-z][\w-]*(?:\.[a-z0-9-]+)*\.{_TLD}\b(?!\.\w)(?:/[^\s<>\"')\]]*[^\s<>\"')\].,;:])?"),
        ("ip", rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\d)(?:/\d{{1,2}}\b|:\d{{2,5}}\b)?"),
        ("ip", r"(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])"),
        ("ip", r"(?<![\w:])(?=[0-9a-f:]*::)[0-9a-f]{1,4}(?:::?[0-9a-f]{1,4}){1,7}(?![\w:])"),
        ("device", r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b"),
        ("ssn", r"(?<![\w-])(?:\d{3}|[x*]{3})([- .])(?:\d{2}|[x*]{2})\1\d{4}(?![\w-])"),
        ("phone", rf"(?<![\w-])(?<!\d[./]){_PHONE}{_EXTENSION}(?![\w-])"),
        ("phone", r"(?<![\w+])(?:\+|\b011[- ]|\b00[1-9])\d{0,3}(?:[ .()/-]{0,2}\d){6,13}(?!\w)"),
        ("phone", r"\b1[-. ]?8(?:00|33|44|55|66|77|88)[-. ][A-Z0-9]{3}-?[A-Z0-9]{2,4}(?:-?[A-Z0-9]{1,4})?\b"),
        ("phone", rf"(?<![\w./-])[2-9]\d\d[-. ]\d{{4}}{_EXTENSION}(?![\w./%-]|\s(?:mg|mL|units|mcg|cc|calor|kcal))"),
        ("vehicle", r"\b(?=[A-HJ-NPR-Z\d]*\d)(?=\d*[A-HJ-NPR-Z])[A-HJ-NPR-Z\d]{11}\d{6}\b"),
        ("photo", r"(?<![\w/])[\w./\\-]*\w\.(?:jpe?g|png|gif|tiff?|bmp|heic|dcm|raw)\b"),
        ("code", r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
        ("code", r"(?<![\w.,/#-])#?\d{7,}(?![\w%]|[.,-]\d)"),
        ("code", r"(?<![\w-])(?=[A-Z-]*[A-Z])[A-Z]{1,5}-?\d{5,}(?:-\d+)*(?![\w-])"),
        ("code", r"(?<![\w/.-])\d{2,}-\d{3,}-\d{3,}(?![\w/.-]*\d)"),
        ("code", r"(?<!\w)#\d{5,}\b"),
    )
)

_NUMBERED = r"(?:number|num|no|nbr|nr|id|identifier|code|#|№)"
# By kind: words that a number of that kind follows. Those before `|||` say so by themselves; a word after it, such as
# `lot` or `group`, has other meanings too, so that it needs `number`, `#` or a colon, or a value with much in it.
_LABELS = {
    "fax": r"(?:tele)?fax(?:ed)?(?: to)?|facsimile|||",
    "phone": r"pager|beeper|voice ?mail|extension|ext|||(?:tele)?phones?|tel|telephone|cell(?:ular)?(?: phone)?"
    r"|mobile|call(?:ed|back)?"
    r"|reach(?:ed|able)?(?: (?:him|her|them|me|us))?|contact(?:ed)?|text(?:ed)?|landline|hotline|ph",
    "ssn": r"ssn|ss|social security|social|soc\.? sec\.?|last four(?: digits)?(?: of)?(?: (?:the|his|her))?"
    r"(?: (?:ssn|social(?: security)?))?|||",
    "mrn": r"mrns?|mr|m\.r\.n\.|med(?:ical)?\.? rec(?:ord)?\.?s?|chart|patient(?:'s)? id(?:entifier|entification)?"
    r"|pt\.? id"
    r"|hospital (?:id|unit)|unit record|emr id|health record|hospital|||patient|record|unit|pt",
    "health_plan": r"health plan|insurance(?: (?:policy|member|card|plan))?|member(?:ship)?|policy ?holder|policy"
    r"|subscriber"
    r"|beneficiary|medicare|medicaid|hicn?|mbi|payer|health insurance(?: claim)?|claim|rx ?bin|rx ?group"
    r"|blue cross(?: blue shield)?|bcbs|aetna|cigna|humana|tricare|kaiser|||group|plan|coverage|insured",
    "account": r"accounts?|acct|a/c|billing|invoice|guarantor|credit card|debit card|card ending in|visa|mastercard"
    r"|amex"
    r"|routing|iban|bank(?: account)?|checking|savings|financial|visit account|||card|fin|bill",
    "license": r"(?:driver'?s?|medical|nursing|pilot'?s?|professional|state|rn|physician|pharmacist)? ?licen[sc]e|lic"
    r"|cert(?:ificate|ification)?|dea|npi|passport|driver'?s? lic(?:ense|\.)?|permit|credential|birth certificate"
    r"|green card|visa|registration certificate|board certification|||dl",
    "vehicle": r"vin|(?:vehicle|car|truck|motorcycle)(?: (?:id(?:entification)?|serial|tag|registration|reg|license))?"
    r"|(?:license|licence|number|registration) plates?|plates?|(?:license|licence) tag|tags?(?= (?:no|num|#))|||tag"
    r"|registration|reg",
    "device": r"serial|s/n|sn|device(?: (?:id(?:entifier)?|serial))?|udi|imei|mac(?: address)?|implant(?: serial| id)?"
    r"|(?:pacemaker|icd|generator|stent|pump|valve|prosthesis|lead|monitor|glucometer|cpap|ventilator|hearing aid"
    r"|implant)"
    r" (?:serial|model|lot|id|s/n|sn|ref)|lot(?: serial)?(?= ?(?:no|num|#))|model(?= ?(?:no|num|#))|||lot|model|implant"
    r"|pacemaker|generator|pump|catalog(?:ue)?|ref|device|monitor|wheelchair",
    "ip": r"ip(?: address)?|||",
    "biometric": r"(?:finger|thumb|palm|voice|face|foot)[ -]?prints?(?: (?:scan|template|hash|file|record|id"
    r"|on file))?|retinal? (?:scan|pattern|template|id)"
    r"|iris (?:scan|pattern|template|code|id)|biometric(?: (?:template|hash|record|scan|identifier))?|facial (?:scan"
    r"|template|recognition)"
    r"|face (?:scan|template|id)|dna (?:profile|sample|barcode|id)|gait (?:signature|id)|hand geometry|voice ?(?:id"
    r"|sample|recording)|||",
    "photo": r"(?:clinical |full[- ]?face |wound |patient |digital |identification |id "
    r"|head ?shot )?(?:photo(?:graph)?s?|portrait|headshot|picture|selfie)"
    r"(?: (?:file|ref(?:erence)?|name|image))?|image (?:file|ref(?:erence)?)|||image|video|img",
    "code": r"(?:study|subject|protocol|participant|enrol+ment|randomi[sz]ation|employee|badge|student|trial|case"
    r"|requisition"
    r"|specimen|accession|order|tracking|confirmation|sample|ticket|prescription|rx|referral|authorization|encounter"
    r"|visit|appointment"
    r"|transaction|reference|ref|research|registry|donor|unos|military|veteran|va|inmate|locker"
    r"|prior auth(?:orization)?|barcode|bar code|qr code"
    r"|wristband|bracelet|job|dictation|document|doc|file|report|user(?:name)?|login|handle|inmate|docket|pin|password)"
    r"|username|user ?id|screen name|twitter|instagram|facebook|||job|id|identifier|log ?in|protocol|key",
}
_VALUE = (
    r"(?P<value>[\"']?(?:\(\d\d\))?(?-i:(?!VIN|MRN|SSN|ID|NO|DEA|NPI)[A-Z]{1,5} )?(?=[A-Z0-9@*./_-]*\d)"
    r"[A-Z0-9@*][A-Z0-9*./_-]*[A-Z0-9](?:[ -]\d{2,}(?![\w.]*/))*(?-i:(?<=\d) [A-Z]{2,4}(?=[.,;)\n]|$))?)"
)
_LINK = (
    rf"(?P<link>(?:[ .]*{_NUMBERED}\b[.:]?|[ ]*[#№]|[ ]*\((?:[A-Z]{{2,5}})\))*"
    r"\s*(?:[:=#,-]|(?:is|was|of|at|on file(?: as)?|ending(?: in)?|ends in|reads?|under|to|as|listed as|from)\b)?"
    r"\s*(?:[:=#]|\((?!\d\d\)))?\s*(?:on file|the number|number|#)?\s*)"
)
_LABELED = tuple(
    (kind, sure == 0, re.compile(rf"(?<![\w-])(?P<label>{words})\b{_LINK}{_VALUE}(?!\w)", re.IGNORECASE))
    for kind, both in _LABELS.items()
    for sure, words in enumerate(both.split("|||"))
    if words
)
_MEASURE = re.compile(
    r"\s?(?:%|mg|mcg|g\b|kg|ml|cc\b|cm|mm|units?\b|days?\b|weeks?\b|months?\b|years?\b|times?\b|hours?\b|minutes?\b"
    r"|year-old|lbs?\b|pounds?\b|feet|french|fr\b|degrees|x\s?\d|gauge|joules|beats|bpm|volts?\b|amps?\b|[ap]\.?m\b)",
    re.IGNORECASE,
)
_SHORTEST = {"phone": 4, "fax": 4, "ssn": 4, "biometric": 4, "photo": 2, "vehicle": 5, "license": 5, "device": 4}
_HANDLE = re.compile(r"(?<![\w.@/])@[A-Za-z_]\w{2,30}\b(?!\.)")
_USER = re.compile(r"\b(?:user ?name|login|screen name|handle|user id)\s*(?:is\s|:|=)\s*(?P<value>[\w.-]{3,}\w)", re.I)


def numbers_in(text: str) -> Iterator[Identifier]:
    """Phone, fax, mail, codes and all else that has digits; kinds may overlap, the surer one first."""
    for kind, sure, form in _LABELED:
        for found in form.finditer(text):
            if _is_labeled(kind, sure, found, text):
                yield identifier(text, *_bare(text, *found.span("value")), kind)
    for kind, form in _FORMS:
        for found in form.finditer(text):
            if not (kind == "phone" and _is_fax(text, found.start())):
                yield identifier(text, *found.span(), kind)
            else:
                yield identifier(text, *found.span(), "fax")
    for form in (_HANDLE, _USER):
        for found in form.finditer(text):
            yield identifier(text, *found.span("value" if "value" in form.groupindex else 0), "code")


def identifier(text: str, start: int, end: int, kind: str) -> Identifier:
    """The identifier of a kind at a place, with its normalized value."""
    said = text[start:end]
    if kind in ("phone", "fax"):
        number = re.split(r"(?i)[,\s]*(?:x|ext)", said)[0]
        digits = re.sub(r"\D", "", number)
        return Identifier(start, end, kind, digits[-10:] if len(digits) >= 7 else plain_code(said))
    if kind in ("email", "url"):
        value = re.sub(r"^(?:https?://)?(?:www\.)?|/$", "", said.lower())
        value = re.sub(r"\s?[\[(]\s?|[\])]\s?", " ", value) if kind == "email" else value
        return Identifier(start, end, kind, re.sub(r"\s+dot\s+", ".", re.sub(r"\s+at\s+", "@", value)))
    return Identifier(start, end, kind, plain_code(said))


def _is_labeled(kind: str, sure: bool, found: re.Match[str], text: str) -> bool:
    value, link = str(found["value"]), str(found["link"])
    digits, letters = sum(c.isdigit() for c in value), sum(c.isalpha() for c in value)
    if _MEASURE.match(text, found.end("value")) or re.fullmatch(r"\d{1,3}\.\d{1,2}|\d+/\d+(?:/\d+)?", value):
        return False
    if re.fullmatch(r"(?:19|20)\d\d", value) and not (sure and kind == "phone"):
        return False
    numbered = re.search(rf"(?i)\b{_NUMBERED}\b|[#:=№]", link + found["label"][-2:]) is not None
    if kind in ("phone", "fax"):
        return digits >= (4 if sure and kind == "phone" else 7)
    if digits + letters < _SHORTEST.get(kind, 4) or (letters and digits < 1):
        return False
    if sure and numbered:
        return True
    mixed = letters > 0 and letters + digits >= 5 and value.isupper()
    return digits >= (4 if sure else 5) or (mixed and digits >= (2 if sure else 3))


def _bare(text: str, start: int, end: int) -> tuple[int, int]:
    return (start + 1, end) if text[start] in "\"'" else (start, end)


def _is_fax(text: str, start: int) -> bool:
    return re.search(r"(?i)(?:fax|facsimile)\W*(?:\w+\W+){0,2}$|\bF:\s*$", text[max(0, start - 30) : start]) is not None
