"""A stand-in of Stripe's HTTP interface, written from its public documentation alone: see README.md."""

from tests.fakes.stripe.fake import ControlFailed, Fake
from tests.fakes.stripe.server import running

__all__ = ["ControlFailed", "Fake", "running"]
