"""What happened: the catalogue of events, and how they are kept and told. Importing it fills the catalogue."""

from app.events import billing_facts as billing_facts
from app.events import membership_facts as membership_facts
from app.events import payment_facts as payment_facts
