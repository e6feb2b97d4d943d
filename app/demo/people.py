"""The accounts that people sign in with, and made-up members around them. Nobody real: names say what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.demo.numbers import legal_numbers
from app.demo.spaces import LONG_AGO, Site
from app.network.memberships.models import Membership, Plan, PlanVersion
from app.network.models import Employer, Funder, Member, RoleGrant, Teleworker
from app.network.parties.models import Party

DOMAIN = "passerelle.example"
HOUR = 60
LOCALES = ("fr", "fr", "fr", "nl", "en", "de")

# (name, minutes included in a month, cents a month before and since DEARER_PLANS)
PLANS: tuple[tuple[str, dict[str, int], int, int], ...] = (
    ("Découverte", {"desk_pool": 16 * HOUR}, 5500, 5900),
    ("Mi-temps", {"desk_pool": 40 * HOUR, "room": 4 * HOUR}, 11500, 12000),
    ("Plein temps", {"desk_pool": 160 * HOUR, "room": 8 * HOUR}, 19000, 19900),
)
DEARER_PLANS = date(2026, 7, 1)


@dataclass(frozen=True, slots=True)
class Account:
    """One line of the list shown at start. `on` is what a role is granted on."""

    login: str
    name: str
    about: str
    space: str | None = None
    network: str | None = None
    role: str | None = None
    on: str | None = None

    @property
    def email(self) -> str:
        return f"{self.login}@{DOMAIN}"


ACCOUNTS = (
    Account("member", "Membre démo", "member of Coworking Ath, on a plan with credits", "ath"),
    Account("payg", "Membre sans formule démo", "no plan, pays each booking", "ath"),
    Account("manager", "Gérance démo Ath", "manager of Coworking Ath", "ath", role="manager", on="space"),
    Account(
        "manager.fr", "Gérance démo Nantes", "manager of La Cantine, Nantes", "la-cantine", role="manager", on="space"
    ),
    Account("employer", "Employeur démo", "administrator of an employer", role="employer_admin", on="employer"),
    Account("teleworker", "Télétravail démo", "teleworker of that employer", "ath"),
    Account(
        "coordinator",
        "Coordination démo",
        "coordinator of Coworking Digital Wallonia",
        network="cdw",
        role="coordinator",
        on="network",
    ),
    Account("funder", "Financement démo", "officer of a public funder", role="funder_officer", on="funder"),
    Account("admin", "Administration démo", "administrator of the platform", role="admin", on="platform"),
)


@dataclass(frozen=True, slots=True)
class Company:
    """A business that books at a space of the neighbouring country, in its own language."""

    login: str
    name: str
    contact: str
    country: str
    address: tuple[str, str, str]
    locale: str
    space: str


COMPANIES = (
    Company("societe.fr", "Société démo SARL", "Contact démo Lille", "FR", ("Rue de la Démo 1", "59000", "Lille"),
            "fr", "namur"),
    Company("bedrijf.be", "Demobedrijf bv", "Contact démo Gent", "BE", ("Demostraat 1", "9000", "Gent"),
            "nl", "la-cantine"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class People:
    """The accounts by login, the other members by space, by (member, space) the plans and what they include, and by
    the space they come to the companies."""

    accounts: dict[str, Member]
    regulars: dict[str, list[Member]]
    plans: dict[tuple[int, int], tuple[Membership, dict[str, int]]]
    companies: dict[str, Member]


def add_people(session: Session, sites: dict[str, Site], *, password_hash: str, today: date) -> People:
    accounts = {account.login: _account(account, sites, password_hash) for account in ACCOUNTS}
    regulars = _regulars(sites)
    session.add_all([*accounts.values(), *(member for group in regulars.values() for member in group)])
    employer, funder = Employer(name="Employeur démo", country="BE"), Funder(name="Financeur démo", country="BE")
    session.add_all([employer, funder])
    session.flush()
    session.add(Teleworker(employer_id=employer.id, member_id=accounts["teleworker"].id))
    session.add_all(_grants(accounts, sites, {"employer": employer.id, "funder": funder.id}))
    versions = _add_plans(session, sites)
    memberships = _memberships(accounts, regulars, sites, versions, today)
    session.add_all(memberships)
    session.flush()
    included = {version.id: version.included for group in versions.values() for version in group}
    plans = {(row.member_id, row.space_id): (row, included[row.plan_version_id]) for row in memberships}
    return People(accounts, regulars, plans, _add_companies(session, sites))


def _account(account: Account, sites: dict[str, Site], password_hash: str) -> Member:
    space = sites[account.space].space if account.space else None
    return Member(
        network_id=space.network_id if space else None,
        email=account.email,
        name=account.name,
        locale="fr",
        password_hash=password_hash,
    )


def _add_companies(session: Session, sites: dict[str, Site]) -> dict[str, Member]:
    """A business from across the border, as billing names it, behind a member who has no password."""
    members = {
        company.space: Member(
            network_id=sites[company.space].space.network_id,
            email=f"{company.login}@{DOMAIN}",
            name=company.contact,
            locale=company.locale,
        )
        for company in COMPANIES
    }
    session.add_all(members.values())
    session.flush()
    session.add_all(_party(company, members[company.space], n) for n, company in enumerate(COMPANIES, start=9000))
    session.flush()
    return members


def _party(company: Company, member: Member, n: int) -> Party:
    numbers = legal_numbers(company.country, n)
    street, postcode, town = company.address
    return Party(
        member_id=member.id,
        name=company.name,
        street=street,
        postcode=postcode,
        town=town,
        country=company.country,
        is_business=True,
        company_number=numbers.company_number,
        vat_number=numbers.vat_number,
        email=member.email,
        locale=company.locale,
    )


def _regulars(sites: dict[str, Site]) -> dict[str, list[Member]]:
    """About one member for two desks, without a password: they fill the calendar, nobody signs in as them."""
    regulars: dict[str, list[Member]] = {}
    n = 0
    for slug, site in sites.items():
        group = regulars[slug] = []
        for _ in range(max(6, site.desks // 2)):
            n += 1
            locale = LOCALES[n % len(LOCALES)] if site.space.country == "BE" else "fr"
            values: dict[str, Any] = {"name": f"Membre démo {n}", "email": f"membre{n}@{DOMAIN}", "locale": locale}
            group.append(Member(network_id=site.space.network_id, **values))
    return regulars


def _grants(accounts: dict[str, Member], sites: dict[str, Site], others: dict[str, int]) -> list[RoleGrant]:
    def scope_id(account: Account) -> int:
        if account.on == "space" and account.space:
            return sites[account.space].space.id
        if account.on == "network":
            return sites["ath"].space.network_id
        return others.get(account.on or "", 0)

    return [
        RoleGrant(
            member_id=accounts[account.login].id, role=account.role, scope_type=account.on, scope_id=scope_id(account)
        )
        for account in ACCOUNTS
        if account.role
    ]


def _add_plans(session: Session, sites: dict[str, Site]) -> dict[str, list[PlanVersion]]:
    """The latest version of each plan of each space, in the order of PLANS."""
    plans = {
        (slug, name): Plan(space_id=site.space.id, name=name) for slug, site in sites.items() for name, *_ in PLANS
    }
    session.add_all(plans.values())
    session.flush()
    latest: dict[str, list[PlanVersion]] = {slug: [] for slug in sites}
    for slug, site in sites.items():
        for name, included, before, since in PLANS:
            for number, (day, cents) in enumerate(((LONG_AGO, before), (DEARER_PLANS, since)), start=1):
                version = PlanVersion(
                    plan_id=plans[slug, name].id,
                    version=number,
                    valid_from=day,
                    price_cents=cents * site.dear_percent // 10_000 * 100,
                    included=included,
                )
                session.add(version)
            latest[slug].append(version)
    session.flush()
    return latest


def _memberships(
    accounts: dict[str, Member],
    regulars: dict[str, list[Member]],
    sites: dict[str, Site],
    versions: dict[str, list[PlanVersion]],
    today: date,
) -> list[Membership]:
    """The member's account is on the half-time plan of Ath; of the others two in three are on some plan."""
    start = (today.replace(day=1) - timedelta(days=70)).replace(day=1)
    signed = [(accounts["member"], "ath", 1)]
    for slug, group in regulars.items():
        signed += [(member, slug, n % 3) for n, member in enumerate(group) if n % 3 != 2]
    return [
        Membership(
            member_id=member.id,
            space_id=sites[slug].space.id,
            plan_version_id=versions[slug][plan].id,
            starts_on=start,
        )
        for member, slug, plan in signed
    ]
