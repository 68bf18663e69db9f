"""Every topic and what does it. A body is an address: it names the use case and holds nothing else."""

from collections.abc import Callable

from orchestrator.domain.topics import urgency_of
from orchestrator.engine.effects import perform
from orchestrator.engine.run import Body
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.usecases import keep_house, sync
from orchestrator.usecases.approve_time import approve_rested
from orchestrator.usecases.ask_for_payment import allot_links
from orchestrator.usecases.backfill_matters import backfill
from orchestrator.usecases.compare_links import compare_links
from orchestrator.usecases.create_link import CreateLink
from orchestrator.usecases.create_task import CreateTask
from orchestrator.usecases.enter_line import EnterLine
from orchestrator.usecases.expire_link import ExpireLink
from orchestrator.usecases.flag_to_attorney import FlagToAttorney
from orchestrator.usecases.keep_buttons import CreateButton, DeleteButton, MoveButton, keep_buttons
from orchestrator.usecases.keep_links import keep_links
from orchestrator.usecases.keep_webhooks import (
    CreateWebhook,
    DeleteWebhook,
    RenewWebhook,
    confirm_webhook,
    keep_webhooks,
)
from orchestrator.usecases.log_communication import LogCommunication
from orchestrator.usecases.mark_matter import MarkMatter
from orchestrator.usecases.move_bill import MoveBill
from orchestrator.usecases.note_bounce import note_posted
from orchestrator.usecases.open_page import open_page
from orchestrator.usecases.plan_billing import plan_billing
from orchestrator.usecases.plan_reminders import plan_reminders
from orchestrator.usecases.poll_lawpay import poll
from orchestrator.usecases.read_account import read_account
from orchestrator.usecases.read_bounces import read_bounces
from orchestrator.usecases.reconcile_nightly import reconcile_nightly, reconcile_run
from orchestrator.usecases.reconcile_window import reconcile_window
from orchestrator.usecases.recover import adopt_links, finish_recovery
from orchestrator.usecases.request_trust import RequestTrust
from orchestrator.usecases.revoke_link import RevokeLink
from orchestrator.usecases.send_message import SendMessage
from orchestrator.usecases.send_notice import SendNotice
from orchestrator.usecases.send_reminder import SendReminder
from orchestrator.usecases.stop_reminders import stop_reminders
from orchestrator.usecases.watch_trust import watch_trust
from orchestrator.usecases.write_note import CreateNote

BOOK: dict[str, Body] = {}


def workflow(*topics: str) -> Callable[[Body], Body]:
    """Enter a body under its topics; a topic that nobody declared is refused."""

    def enter(body: Body) -> Body:
        for topic in topics:
            urgency_of(topic)
            BOOK[topic] = body
        return body

    return enter


@workflow(
    "sync.activity", "sync.matter", "sync.contact", "sync.task", "sync.bill", "sync.link", "sync.payment",
    "sync.ledger",
)  # fmt: skip
def drain(job: Job, rt: Runtime) -> None:
    sync.drain(job, rt)


@workflow("sweep")
def sweep(job: Job, rt: Runtime) -> None:
    sync.sweep(job, rt)


@workflow("trust.watch")
def trust(job: Job, rt: Runtime) -> None:
    watch_trust(job, rt)


@workflow("bounces.read")
def bounces(job: Job, rt: Runtime) -> None:
    read_bounces(job, rt)


@workflow("bounces.note")
def bounces_posted(job: Job, rt: Runtime) -> None:
    note_posted(job, rt)


@workflow("reminders.stop")
def stop(job: Job, rt: Runtime) -> None:
    stop_reminders(job, rt)


@workflow("account.read")
def account(job: Job, rt: Runtime) -> None:
    read_account(job, rt)


@workflow("matters.backfill")
def backfill_matters(job: Job, rt: Runtime) -> None:
    backfill(job, rt)


@workflow("lawpay.poll")
def poll_lawpay(job: Job, rt: Runtime) -> None:
    poll(job, rt)


@workflow("time.approve")
def approve_time(job: Job, rt: Runtime) -> None:
    approve_rested(job, rt)


@workflow("billing.plan")
def plan(job: Job, rt: Runtime) -> None:
    plan_billing(job, rt)


@workflow("links.allot")
def allot(job: Job, rt: Runtime) -> None:
    allot_links(job, rt)


@workflow("links.compare")
def comparison_of_links(job: Job, rt: Runtime) -> None:
    compare_links(job, rt)


@workflow("links.upkeep")
def upkeep_of_links(job: Job, rt: Runtime) -> None:
    keep_links(job, rt)


@workflow("reconcile.nightly")
def reconcile_each(job: Job, rt: Runtime) -> None:
    reconcile_nightly(job, rt)


@workflow("reconcile.run")
def reconcile_one(job: Job, rt: Runtime) -> None:
    reconcile_run(job, rt)


@workflow("reconcile.window")
def run_window(job: Job, rt: Runtime) -> None:
    reconcile_window(job, rt)


@workflow("task.create")
def create_task(job: Job, rt: Runtime) -> None:
    perform(CreateTask(rt, job))


@workflow("note.create")
def create_note(job: Job, rt: Runtime) -> None:
    perform(CreateNote(rt, job))


@workflow("matter.mark")
def mark_matter(job: Job, rt: Runtime) -> None:
    perform(MarkMatter(rt, job))


@workflow("bill.move")
def move_bill(job: Job, rt: Runtime) -> None:
    perform(MoveBill(rt, job))


@workflow("page.open")
def make_page(job: Job, rt: Runtime) -> None:
    open_page(job, rt)


@workflow("link.create")
def create_link(job: Job, rt: Runtime) -> None:
    perform(CreateLink(rt, job))


@workflow("link.expire")
def expire_link(job: Job, rt: Runtime) -> None:
    perform(ExpireLink(rt, job))


@workflow("link.revoke")
def revoke_link(job: Job, rt: Runtime) -> None:
    perform(RevokeLink(rt, job))


@workflow("message.send")
def send_message(job: Job, rt: Runtime) -> None:
    perform(SendMessage(rt, job))


@workflow("notice.send")
def send_notice(job: Job, rt: Runtime) -> None:
    perform(SendNotice(rt, job))


@workflow("reminders.plan")
def remind(job: Job, rt: Runtime) -> None:
    plan_reminders(job, rt)


@workflow("reminder.send")
def send_reminder(job: Job, rt: Runtime) -> None:
    perform(SendReminder(rt, job))


@workflow("reminder.flag")
def flag_bill(job: Job, rt: Runtime) -> None:
    perform(FlagToAttorney(rt, job))


@workflow("trust.request")
def request_trust(job: Job, rt: Runtime) -> None:
    perform(RequestTrust(rt, job))


@workflow("ledger.enter")
def enter_line(job: Job, rt: Runtime) -> None:
    perform(EnterLine(rt, job))


@workflow("communication.log")
def log_communication(job: Job, rt: Runtime) -> None:
    perform(LogCommunication(rt, job))


@workflow("webhooks.upkeep")
def webhooks(job: Job, rt: Runtime) -> None:
    keep_webhooks(job, rt)


@workflow("webhook.create")
def create_webhook(job: Job, rt: Runtime) -> None:
    perform(CreateWebhook(rt, job))


@workflow("webhook.renew")
def renew_webhook(job: Job, rt: Runtime) -> None:
    perform(RenewWebhook(rt, job))


@workflow("webhook.delete")
def delete_webhook(job: Job, rt: Runtime) -> None:
    perform(DeleteWebhook(rt, job))


@workflow("webhook.confirm")
def confirm(job: Job, rt: Runtime) -> None:
    confirm_webhook(job, rt)


@workflow("buttons.upkeep")
def buttons(job: Job, rt: Runtime) -> None:
    keep_buttons(job, rt)


@workflow("button.create")
def create_button(job: Job, rt: Runtime) -> None:
    perform(CreateButton(rt, job))


@workflow("button.move")
def move_button(job: Job, rt: Runtime) -> None:
    perform(MoveButton(rt, job))


@workflow("button.delete")
def delete_button(job: Job, rt: Runtime) -> None:
    perform(DeleteButton(rt, job))


@workflow("recovery.adopt")
def adopt_forgotten(job: Job, rt: Runtime) -> None:
    adopt_links(job, rt)


@workflow("recovery.finish")
def end_recovery(job: Job, rt: Runtime) -> None:
    finish_recovery(job, rt)


@workflow("engine.heartbeat")
def heartbeat(job: Job, rt: Runtime) -> None:
    keep_house.beat_heart(job, rt)


@workflow("engine.tidy")
def tidy(job: Job, rt: Runtime) -> None:
    keep_house.tidy(job, rt)
