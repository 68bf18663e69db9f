"""Every reason for silence, refusal or a person's attention: a code, what it means, and what to do.

Codes are stored; these words are shown. `docs/runbook.md` has an entry for each (a test keeps it complete).
"""

from dataclasses import dataclass

from orchestrator.domain.breaks import BREAKS


@dataclass(frozen=True, slots=True)
class Reason:
    """`meaning` completes "because …"; `advice` is what a person does next, empty when nothing is needed."""

    meaning: str
    advice: str = ""


REASONS: dict[str, Reason] = {
    # ── why no bill is asked for ──
    "no_approved_time": Reason("the matter has no approved, unbilled work"),
    "no_unapproved_time": Reason("nothing of the matter waits for approval any more"),
    "zero_amount": Reason("the approved work comes to nothing", "Check the rates of the matter's entries in Clio."),
    "below_threshold": Reason("the approved work is below the firm's threshold and its billing day has not come"),
    "flat_fee_not_due": Reason("the flat fee's date or stage has not come"),
    "contingency": Reason("contingency matters are not billed by time"),
    "non_billable": Reason("the matter is marked non-billable in Clio"),
    "matter_pending": Reason("the matter is still pending", "Open the matter in Clio when the engagement begins."),
    "values_redacted": Reason(
        "hours or rates of the matter's work are hidden from the connected Clio user",
        "Connect as a billing administrator, or give that user visibility of hours and rates.",
    ),
    "client_missing": Reason("the matter has no client in Clio", "Add the client to the matter."),
    "client_email_blank": Reason(
        "the client has no e-mail address", "Add a primary e-mail address to the contact in Clio."
    ),
    "client_email_invalid": Reason(
        "the client's e-mail address cannot be right", "Correct the primary e-mail address of the contact in Clio."
    ),
    "client_redacted": Reason(
        "the client is hidden from the connected Clio user", "Share the contact with that user, or connect as another."
    ),
    "period_asked": Reason("a bill was asked for today already; newer work waits for tomorrow"),
    "request_open": Reason("a bill has been asked for and has not appeared yet"),
    "draft_open": Reason(
        "a draft bill for the matter waits in Clio", "Finish or delete the draft; new work follows after."
    ),
    "threshold": Reason("the approved work reached the firm's threshold"),
    "calendar": Reason("the firm's billing day came"),
    "flat_fee_date": Reason("the flat fee's date came"),
    "flat_fee_stage": Reason("the matter reached a stage at which its flat fee is due"),
    "matter_closed": Reason("the matter was closed"),
    # ── why no link is asked for ──
    "issued_before_start": Reason(
        "it was issued before the date from which the firm wants links", "Change [links] issued_from to include it."
    ),
    "bill_not_issued": Reason("the bill is not issued yet"),
    "bill_gone": Reason("the bill was voided or deleted"),
    "trust_request": Reason("it asks for a deposit, it is not a debt"),
    "nothing_open": Reason("nothing is left to ask for"),
    "payment_under_way": Reason("a payment for it is on its way"),
    "currency_mismatch": Reason(
        "its currency is not the one Clio Payments takes here",
        "Collect this bill by other means, or correct its currency.",
    ),
    "no_link_account": Reason(
        "no open operating account takes Clio Payments in its currency, or several do",
        "Enable Clio Payments on one operating account, or name it in [links] account_id.",
    ),
    "no_page_account": Reason(
        "no configured account of the right class has a payment page that LawPay vouches for, or several do",
        "Configure one in [[trust.accounts]] and [lawpay] pages, or name it in the rule of [[links.rules]].",
    ),
    "lawpay_not_read": Reason("LawPay's accounts have not been read yet"),
    "payment_to_record": Reason("it was paid at LawPay, and Clio has not been told yet"),
    "payment_in_question": Reason("a payment that may be for it waits for a person"),
    "payment_reversed": Reason(
        "a payment for it was refunded, charged back or returned",
        "Decide with the client; then `orchestrator exceptions resolve ID` lets a new link be made.",
    ),
    "bill_changed": Reason("the bill changed; a newer link replaces this one"),
    "bill_settled": Reason("the bill was settled"),
    "link_replaced": Reason("its amount no longer matched the bill"),
    "link_renewed": Reason("its days were nearly over; a newer link replaces this one"),
    "link_for_reminder": Reason("a reminder brings a newer link that lives longer"),
    "link_expiry_stopped": Reason("the link before it was to end, and its job waits for a person"),
    "time": Reason("its days were over"),
    "link_over": Reason("the link it would have carried is over"),
    "closed_matter_held": Reason(
        "its matter is closed, and the firm wants no links for such bills",
        "Reopen the matter, or change [links] hold_closed.",
    ),
    "client_daily_limit": Reason(
        "the client was sent as many messages today as the firm allows; this one follows tomorrow"
    ),
    "link_expired_by_hand": Reason("a person of the firm had the link expired"),
    # ── why no reminder is sent ──
    "bill_of_other_kind": Reason("it is neither an invoice nor a deposit, and nobody is reminded of such a bill"),
    "bill_paid": Reason("it is paid"),
    "bill_written_off": Reason("what was open of it was written off"),
    "echeck_settling": Reason("an eCheck for it was made and takes some days to settle"),
    "reversal_grace": Reason(
        "a payment for it went back lately, and the client has some days before the next reminder"
    ),
    "fee_disputed": Reason(
        "the client disputes it", "Settle the dispute with the client, note the outcome, and release the hold."
    ),
    "fee_arbitration": Reason("fee arbitration is under way", "When the award is final, release the hold."),
    "client_bankrupt": Reason(
        "the client is in bankruptcy, where asking for money may break the stay",
        "Have the responsible attorney file the claim; release the hold only on their word.",
    ),
    "do_not_contact": Reason(
        "the client must not be written to",
        "Let the responsible attorney speak to them; release the hold on their word.",
    ),
    "client_unsubscribed": Reason(
        "the client used the unsubscribe button of a reminder: they get no more of them, and their invoices as before",
        "Have the responsible attorney speak to them; release the hold on their word, or resolve this when it is noted.",
    ),
    "payment_plan": Reason(
        "the client pays it by a plan", "See in Clio that the instalments come; release the hold when they do not."
    ),
    "payment_promised": Reason("the client promised to pay by a day that is not over"),
    "credit_unapplied": Reason(
        "the client has credit, or paid money, that no bill has taken",
        "Apply it to the bill in Clio, or refund it there.",
    ),
    "reminders_held": Reason("a person holds its reminders", "Release the hold when its cause is settled."),
    "client_paused": Reason("reminders to the client are paused", "Release the pause when its cause is settled."),
    "matter_unknown": Reason(
        "its matter cannot be seen by the connected Clio user, so nobody knows whether it is closed or held",
        "Give that user access to the matter in Clio, or connect as another.",
    ),
    "address_bounced": Reason(
        "messages to the client's address come back, or the relay keeps it on its list of addresses not to write to",
        "Reach the client another way, correct the address in Clio, or `orchestrator reminders bounces release` if it is right.",
    ),
    "address_failing": Reason(
        "one message after another to the client's address comes back, each time for a trouble that should pass",
        "Ask the client whether their mailbox works, correct the address in Clio, or `orchestrator reminders bounces release`.",
    ),
    "address_changed": Reason("the client has another address since; the message follows them there"),
    "client_not_read": Reason("Clio has not been asked yet whether it reminds the client itself"),
    "clio_reminders_on": Reason(
        "Clio itself sends the client reminders", "Switch off one of the two: Clio's reminders for the client, or ours."
    ),
    "never_delivered": Reason(
        "the bill itself never reached the client: no message of ours brought it, and Clio did not send it",
        "Correct the client's address in Clio, where the message came back, and it follows them; else send the bill from Clio.",
    ),
    "delivered_late": Reason(
        "it reached the client after its own date, and is followed up from the day on which it did"
    ),
    "step_too_soon": Reason("another step of it was done a few days ago, and the sequence keeps them apart"),
    "below_minimum": Reason("less is open of it than the firm sends reminders for"),
    "too_old": Reason(
        "it is older than the firm sends reminders for",
        "Let the responsible attorney decide: collect it, or write it off.",
    ),
    "message_on_its_way": Reason("a message with its link is about to leave; one a day is enough"),
    "client_written_today": Reason("the client was written to today already; it follows on the next business day"),
    "reminders_off": Reason("the firm follows up no bills ([reminders] enabled)"),
    "reminder_overtaken": Reason("a later step of the sequence came first"),
    "reminder_day_passed": Reason("the message's day passed before it could leave; it is judged anew"),
    "reminder_skipped_by_hand": Reason("a person skipped it"),
    "reminders_all_silent": Reason("nothing was left to say in the client's letter"),
    "reminder_logged": Reason("Clio has been told of it already"),
    "link_on_its_way": Reason("the message waits for the link that it brings"),
    "links_unread": Reason("Clio's list of links was not read for a while, and is read first"),
    # ── what needs a person ──
    "parked_by_hand": Reason(
        "a person took it out of the workers' hands", "Look at it, then `orchestrator jobs retry ID` gives it back."
    ),
    "link_quota": Reason(
        "Clio's limit of payment links is reached; the rest follow in order, highest balance first",
        "Nothing is lost. More Clio users raise the limit; old links can be expired.",
    ),
    "link_budget_tight": Reason(
        "more than four fifths of Clio's limit of payment links will be used within thirty days",
        "Add users in Clio, let one link serve all bills of a client, or let links wait: `orchestrator links budget`.",
    ),
    "link_ended_unseen": Reason(
        "its payment link ended in the time that a restored database forgot, by us or by a person, and the same is still owed",
        "If the client should get another link: `orchestrator exceptions resolve ID`. If not, leave it open.",
    ),
    "link_refused": Reason(
        "Clio refused to make the payment link", "Read the answer kept with the job, correct, and retry it."
    ),
    "foreign_link": Reason(
        "somebody made another live payment link for the same bill by hand", "Expire one of the two in Clio."
    ),
    "link_missing": Reason(
        "Clio no longer shows a payment link that is live with us",
        "Open its address: if it is dead, `orchestrator links expire LINK`, and another follows; if not, see who is connected.",
    ),
    "duplicate_bill_request": Reason(
        "a bill for the matter was open when the next was due; it was adopted, no second one was asked for",
        "Finish or delete the open draft in Clio.",
    ),
    "payment_unallocated": Reason(
        "money came in that Clio could not tie to a bill", "Allocate it in Clio (Payments), or refund it there."
    ),
    "payment_unmatched": Reason("a payment belongs to no bill we know", "Find its bill in Clio and allocate it there."),
    "payment_amount_differs": Reason(
        "the amount paid is not the amount asked",
        "Compare payment and bill in Clio; allocate or refund the difference.",
    ),
    "payment_wrong_account": Reason(
        "the money went to another account than the link named",
        "Move it in Clio and at the bank; never between trust and operating without authority.",
    ),
    # ── trust ──
    "trust_line_incomplete": Reason("a trust line lacks what every line must say"),
    "trust_balance_short": Reason(
        "the ledger does not hold so much, or is frozen", "Look at `orchestrator trust ledger`; nothing was moved."
    ),
    "trust_purpose_unknown": Reason("it is none of the purposes for which money may leave trust"),
    "trust_draw_over": Reason("the draw is no longer waiting to be authorised"),
    "trust_profile_unknown": Reason(
        "no jurisdiction profile is configured for the trust accounts",
        "Name one in [trust] jurisdiction (config/jurisdictions).",
    ),
    "trust_profile_unconfirmed": Reason(
        "no lawyer of the firm has confirmed the jurisdiction profile",
        "Have a lawyer read it, and name them in [trust] confirmed_by.",
    ),
    "trust_no_signatory": Reason("nobody is named who may authorise a draw", "Name them in [trust] signatories."),
    "trust_shortage": Reason(
        "a client ledger of the account is below zero",
        "Restore the money today, and see the profile's report rule: `orchestrator trust accounts`.",
    ),
    "trust_unreconciled": Reason(
        "the last period is not signed within its deadline", "Reconcile it and have a reviewer sign."
    ),
    "trust_many_matters": Reason("the bill is for several matters, and one matter's money pays for no other"),
    "trust_matter_unknown": Reason("its matter or the matter's client is not known here"),
    "trust_disputed": Reason("all that is open of the bill is in dispute"),
    "trust_frozen": Reason("the matter's ledger is frozen"),
    "trust_nothing_available": Reason("the matter's ledger has nothing free"),
    "trust_claimed": Reason("a third party's claim took what was promised"),
    "trust_draw_too_much": Reason("less is free, open or undisputed by now than the draw would take"),
    "trust_notice_missing": Reason(
        "the client has not been told of the draw, or the notice did not arrive",
        "Send the itemised bill with amount, purpose, date and the balance left; then `orchestrator trust notice ID`.",
    ),
    "trust_notice_waiting": Reason(
        "the days between notice and draw are not over",
        "Authorise it on or after the day that `orchestrator trust draws` names.",
    ),
    "trust_not_signatory": Reason(
        "whoever answered is not on the firm's list of signatories",
        "Have a signatory authorise it: `orchestrator trust authorise`.",
    ),
    "trust_available": Reason("trust money of the matter is planned to pay it"),
    "trust_declined": Reason("a person declined the draw"),
    "trust_line_reversed": Reason("the ledger line that posted it was taken back in Clio"),
    "trust_draw_not_posted": Reason("it was authorised, and the bill was settled without it"),
    "trust_return": Reason(
        "a deposit into trust was returned by the bank",
        "See who is short: `orchestrator trust ledger`. Release the ledger when it is whole.",
    ),
    "trust_owner_unknown": Reason(
        "money lies in trust and nobody knows whose it is",
        "Find the owner, and name client and matter on the line in Clio.",
    ),
    "trust_fee_debited": Reason(
        "a fee or charge was taken out of a trust account",
        "Restore it from the firm's own money today, and have the bank charge operating.",
    ),
    "trust_draw_unauthorised": Reason(
        "money left trust for a bill without a draw that somebody authorised",
        "Ask who did it; if it was right, keep the reason with the exception; if not, put it back.",
    ),
    "trust_draw_amount_differs": Reason(
        "another amount left trust than the one that was authorised",
        "Compare the draw with the line in Clio; have the difference authorised or put back.",
    ),
    "trust_firm_money": Reason(
        "more of the firm's own money lies in trust than it may",
        "Take the excess out, or correct [trust] firm_money_cap_cents.",
    ),
    "trust_closed_matter": Reason(
        "money lies in trust for a matter that is closed",
        "Pay it out or have the client say what to do; then close the matter.",
    ),
    "trust_draw_lingers": Reason(
        "earned, undisputed money has lain in trust longer than the profile allows",
        "Authorise or decline the draw: `orchestrator trust draws`.",
    ),
    "trust_idle": Reason(
        "a balance in trust has not moved for longer than the profile allows",
        "Find out whether it is owed back; see the state's unclaimed-funds rule.",
    ),
    "trust_ledger_write_refused": Reason(
        "the worker writes no bill payment into a trust ledger, and nothing else unless the firm switched it on"
    ),
    "account_class_disagrees": Reason(
        "an account is not of the class that the firm configured, or nobody says of which it is",
        "Correct [[trust.accounts]] or the account's type at Clio or LawPay; until they agree nothing is posted to it.",
    ),
    "lawpay_refused": Reason(
        "LawPay refused the request",
        "Read LawPay's answer kept with the job, correct, and retry it.",
    ),
    "lawpay_not_found": Reason(
        "LawPay does not know the transaction, or not in this mode",
        "See whether the key is of the mode (test or live) in which the payment was made.",
    ),
    "lawpay_forbidden": Reason(
        "LawPay denied the permission",
        "Check the authorized application in LawPay; work waits and goes on by itself.",
    ),
    "lawpay_version_retired": Reason(
        "LawPay no longer serves the version of the gateway we use",
        "Upgrade the orchestrator. Work waits and goes on by itself.",
    ),
    "lawpay_path_moved": Reason(
        "LawPay's gateway answers from another address",
        "Check ORCH_LAWPAY__BASE_URL: the gateway has changed its host before. Work waits and goes on by itself.",
    ),
    "lawpay_key_refused": Reason(
        "LawPay no longer accepts our key, or not from this address",
        "Give a key that is at work: ORCH_LAWPAY__SECRET_KEY, then restart. Work waits and goes on by itself.",
    ),
    "lawpay_unreadable": Reason(
        "LawPay sent a transaction we cannot read",
        "Report it with the transaction's id; nothing else waits for it.",
    ),
    "payment_recorded": Reason("the payment stands in Clio already"),
    "lawpay_account_unknown": Reason(
        "money moves on an account at LawPay that is not configured",
        "Name it in [[trust.accounts]] lawpay_ids; card and eCheck have ids of their own.",
    ),
    "lawpay_trust_unknown": Reason(
        "LawPay does not say whether an account is trust or operating",
        "Have LawPay mark the account; until then nothing is collected through it.",
    ),
    "lawpay_reference_edited": Reason(
        "somebody paid with our reference, but changed it",
        "Find the bill (the exception names what it may be), record the payment in Clio, then resolve.",
    ),
    "lawpay_reference_unknown": Reason(
        "somebody paid on one of our pages under a reference that is not ours",
        "Find out what it is for; record it in Clio or refund it, then resolve.",
    ),
    "lawpay_amount_differs": Reason(
        "the amount paid on a page is not the amount asked",
        "Record what came in Clio, or refund it; then resolve: the rest is asked for anew.",
    ),
    "lawpay_currency_differs": Reason(
        "the payment is in another currency than was asked",
        "Refund it at LawPay, or record it in Clio by hand; then resolve.",
    ),
    "lawpay_wrong_account": Reason(
        "the payment went into another account than the page we sent",
        "Never move it between trust and operating without authority: refund it, or let the responsible lawyer decide.",
    ),
    "lawpay_paid_twice": Reason(
        "a page was paid a second time",
        "Refund it at LawPay, and this closes by itself; or enter it in Clio as the client's credit, then resolve.",
    ),
    "lawpay_link_over": Reason(
        "a page was paid after we had closed it in our books: LawPay cannot expire one",
        "Compare with the bill: record the payment in Clio and resolve; or refund it at LawPay, and this closes by itself.",
    ),
    "lawpay_bill_gone": Reason(
        "a bill that was paid on a page is void since",
        "Enter the payment in Clio on the bill that took its place, with its LawPay id, then resolve; or refund it at LawPay, "
        "and this closes by itself.",
    ),
    "lawpay_bill_settled": Reason(
        "a page was paid for a bill on which nothing was open any more",
        "Refund it at LawPay, and this closes by itself; or enter it in Clio as the client's credit, then resolve.",
    ),
    "mail_outcome_unknown": Reason(
        "the mail relay took the message and then fell silent: the client may or may not have it",
        "Look in the relay's log for the Message-ID. If it was accepted: `orchestrator jobs settle ID`. "
        "If not: `orchestrator jobs retry ID --resend`.",
    ),
    "mail_before_restore": Reason(
        "the database was restored from a backup, and the message may have been sent in the time that it forgot",
        "Look in the relay's log for the Message-ID. If it was accepted: `orchestrator jobs settle ID`. "
        "If not: `orchestrator jobs retry ID --resend`.",
    ),
    "message_too_old": Reason(
        "the message could not leave for so long that its words may no longer be right",
        "Look at the bill; then `orchestrator jobs retry ID` sends it now, if it is still wanted.",
    ),
    "mail_relay_away": Reason(
        "the mail relay has not taken a message for an hour; every message is kept and tried again",
        "Look at the relay and at ORCH_MAIL__URL; messages leave by themselves once it answers.",
    ),
    "mail_refused": Reason(
        "the mail relay refused the message", "Read the relay's answer kept with the job; correct and retry."
    ),
    "mail_address_refused": Reason(
        "the client's mail server refuses the address", "Correct the address in Clio, then retry."
    ),
    "mailbox_away": Reason(
        "the mailbox that bounces come back to has not answered for hours",
        "Look at it and at ORCH_MAIL__BOUNCES_URL; it is read from where it stopped once it answers.",
    ),
    "mailbox_refused": Reason(
        "the mailbox that bounces come back to does not let us in",
        "Correct the user and password in ORCH_MAIL__BOUNCES_URL; it is read again by itself.",
    ),
    "mail_not_configured": Reason("no mail relay is configured", "Set ORCH_MAIL__URL and ORCH_MAIL__FROM, then retry."),
    "mail_address_invalid": Reason(
        "the client's address cannot receive this message", "Correct the primary e-mail address in Clio, then retry."
    ),
    "pay_link_refused": Reason(
        "the payment link points to a host that is not the payment provider's",
        "Check [links] pay_hosts; do not send it by hand.",
    ),
    "key_invalid": Reason("the message has no usable key", "Report it with the job's id."),
    "template_missing": Reason("a message template is missing", "Restore config/templates, then retry."),
    "template_invalid": Reason(
        "a message template cannot be read", "Correct the file in config/templates that the job names, then retry."
    ),
    "brand_invalid": Reason(
        "the firm's name, sender or locale cannot stand in a message", "Correct [firm] and ORCH_MAIL__FROM, then retry."
    ),
    "mail_url_invalid": Reason(
        "the mail relay's address cannot be used", "Correct ORCH_MAIL__URL (smtp://… or smtps://…), then retry."
    ),
    "clio_refused": Reason("Clio refused the request", "Read Clio's answer kept with the job, correct, and retry it."),
    "clio_not_found": Reason(
        "Clio no longer has it, or does not show it to us", "Check it in Clio; retry if it is there."
    ),
    "clio_foreign_page": Reason(
        "a page of a list led to another host",
        "Check ORCH_CLIO__BASE_URL and the proxy; name an alias only if it is Clio.",
    ),
    "data_incomplete": Reason(
        "Clio's answer hides or lacks something that decides",
        "Give the connected user visibility of it in Clio, then retry.",
    ),
    "clio_forbidden": Reason(
        "Clio denied the permission",
        "Give the app and its user the permission in Clio; after a change to the app run `orchestrator connect clio`. "
        "Work waits and goes on by itself.",
    ),
    "clio_version_retired": Reason(
        "Clio no longer serves the API version we use",
        "Upgrade the orchestrator. Work waits and goes on by itself.",
    ),
    "clio_path_moved": Reason(
        "Clio answers from another address",
        "Check [clio] region and ORCH_CLIO__BASE_URL, then upgrade the orchestrator. Work waits and goes on by itself.",
    ),
    "reconnect": Reason(
        "Clio no longer accepts our token",
        "Connect the firm again: `orchestrator connect clio`. Work waits and goes on by itself.",
    ),
    "connect_over": Reason("the attempt to connect was declined, or another was begun since"),
    "wrong_account": Reason(
        "the token belongs to another firm or another region than this database",
        "Connect as a user of the firm's own account (`orchestrator connect show`); another firm needs a database of its own.",
    ),
    "custom_field_missing": Reason(
        "Clio has no matter custom field of the configured name",
        "Create it (checkbox, matters), or correct [notes] paid_field.",
    ),
    "no_assignee": Reason(
        "nobody can be given the task: the matter has no responsible attorney",
        "Set one in Clio, or name [billing] billing_user_id, then retry.",
    ),
    "search_ambiguous": Reason(
        "after a lost answer several things in Clio could be ours", "Compare them in Clio, keep one, then retry."
    ),
    "amount_invalid": Reason("an amount cannot be stated in whole cents", "Correct the bill in Clio."),
    "row_unreadable": Reason(
        "Clio sent a record we cannot read", "Report it with the record's id; nothing else waits for it."
    ),
    "attempts_exhausted": Reason(
        "it was tried as often as allowed", "Read the last error kept with the job, then retry it."
    ),
    "rejected": Reason("the request was refused", "Read the answer kept with the job, correct, and retry it."),
    "unplanned": Reason("an error we did not plan for stopped it", "Report it with the job's id, then retry."),
    "clock_put_back": Reason(
        "the firm's clock is behind what was already written",
        "Set the clock of the machine (of PostgreSQL's, in production) by NTP; nothing is lost, but what waits, waits longer.",
    ),
    "audit_chain_broken": Reason(
        "the audit lines in the database are not as they were written",
        "Find out who could write to the database: `orchestrator audit verify` names the first wrong line; "
        "compare with a backup.",
    ),
    "webhook_replaced": Reason("another subscription has taken its place, or it is renewed already"),
    "webhook_unrenewed": Reason(
        "half of a webhook's life is gone and Clio did not renew it",
        "A fresh one is being made beside it; if this stays open, see `orchestrator webhooks health`.",
    ),
    "webhook_signatures": Reason(
        "deliveries on a webhook's secret address are not signed as Clio signs",
        "Something between Clio and us changes their bytes: let the proxy pass bodies through untouched.",
    ),
    "public_address": Reason(
        "a POST to our public address does not reach us as Clio's deliveries must",
        "Do what the exception says, then `orchestrator doctor`; sweeps keep everything true meanwhile.",
    ),
    "webhook_unheard": Reason(
        "a sweep found what this webhook had not told, and nothing was delivered since",
        "See that `orchestrator serve` (or `up`) runs and that firewall and proxy let Clio in; the next delivery ends it.",
    ),
    "webhook_unconfirmed": Reason(
        "Clio's handshake did not arrive at our public address",
        "Check ORCH_PUBLIC_URL, TLS and the proxy; sweeps keep everything true meanwhile.",
    ),
    "account_unknown": Reason(
        "no account of that name is configured", "Name one of [[trust.accounts]], or add it to the firm's profile."
    ),
    "period_locked": Reason("the period is signed, and what it says stays as it was"),
    "statement_unusable": Reason(
        "a bank's statement is damaged, incomplete or not this account's; nothing of it was kept",
        "Fetch the file again from the bank, for a period that begins where the last one ended.",
    ),
    "reconciliation_overdue": Reason(
        "a trust account's period is over its day and nobody has signed it",
        "Import the bank's statement, cure the breaks, run, and have a reviewer sign: `orchestrator reconcile sign`.",
    ),
    "not_signable": Reason("something stands in the way of signing the period; the sentence says what"),
    "break_unknown": Reason("there is no such open break"),
    "run_unknown": Reason("there is no such reconciliation run"),
    # ── retainers ──
    "evergreen_unreadable": Reason(
        "the matter's evergreen field in Clio is not an amount",
        "Write an amount such as 2500.00 into the field, or empty it.",
    ),
    "evergreen_whole": Reason("the matter's trust money is at its level again"),
    "evergreen_over": Reason("the request to fill the retainer up is over"),
    "trust_request_open": Reason("somebody has asked for a deposit on this matter already"),
    "trust_request_refused": Reason("Clio did not take the request, and a person was asked to make it"),
    "trust_requests_unavailable": Reason(
        "Clio takes no requests for trust money from us, and the responsible attorneys are asked to make them",
        "Nothing must be done. To have them made again at once, give the app the permission and resolve this; it is tried daily.",
    ),
    "trust_held": Reason("trust money of the matter is frozen, claimed or in dispute"),
    # ── approval inside Clio ──
    "buttons_refused": Reason(
        "Clio does not let us look after the approval button",
        "Give the app the permission for custom actions in Clio and run `orchestrator connect clio`, or choose another "
        "[approval] signal. Everything else goes on.",
    ),
    "button_there": Reason("the button stands in Clio already"),
    "button_unwanted": Reason("the firm does not approve by a button in Clio now"),
    "press_malformed": Reason(
        "the address is not one that the button in Clio opens",
        "Open the matter or the entry in Clio and press the button there.",
    ),
    "press_replayed": Reason(
        "the page of this press was opened before",
        "Go back to Clio and press the button again: each press opens one page.",
    ),
    "press_unconfirmed": Reason(
        "Clio does not confirm that this user has just pressed the button",
        "Go back to Clio and press the button again.",
    ),
    "press_not_visible": Reason(
        "Clio does not show this record to the user who pressed the button",
        "Ask an administrator of the firm for permission to the matter in Clio, then press the button again.",
    ),
    "press_sign_in": Reason(
        "the user has not signed in here yet", "Sign in with Clio on the page, then press the button again."
    ),
    "press_no_app": Reason(
        "the firm works with a ready token, and there is no app that a second user could sign in to",
        "Set ORCH_CLIO__CLIENT_ID and ORCH_CLIO__CLIENT_SECRET; until then only the connected user can approve by the button.",
    ),
    "press_stranger": Reason(
        "the answer does not come from the page that we showed",
        "Go back to Clio and press the button again, in one browser.",
    ),
    "press_over": Reason("the page was open for more than ten minutes", "Go back to Clio and press the button again."),
    # ── what reconciliation found ──
    **{f"break_{code}": Reason(kind.meaning, kind.fix) for code, kind in BREAKS.items()},
}

WAITED_FOR = (
    "reconnect",
    "wrong_account",
    "clio_forbidden",
    "clio_version_retired",
    "clio_path_moved",
    "lawpay_key_refused",
    "lawpay_forbidden",
    "lawpay_version_retired",
    "lawpay_path_moved",
)
"""Reasons for which work waits instead of stopping, under one notice each; it goes on by itself when they are gone."""

PROVIDERS = ("clio", "lawpay")


def provider_of(notice: str) -> str:
    """Who has to let us in again."""
    return next((provider for provider in PROVIDERS if notice.startswith(f"{provider}_")), "clio")


def meaning(code: str | None) -> str:
    """Words for a code; an unknown one is shown as it is."""
    return "" if code is None else REASONS[code].meaning if code in REASONS else code.replace("_", " ")


def advice(code: str | None) -> str:
    """What to do about a code; empty when nothing is known or needed."""
    return REASONS[code].advice if code in REASONS else ""
