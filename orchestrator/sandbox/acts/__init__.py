"""What people do: the attorney, the biller, the client, the bank. `ACTS` is the list."""

from orchestrator.sandbox.acts import billing, gateway, office, paying, planting, trust
from orchestrator.sandbox.acts.facts import Act, Dealing, Parties, described
from orchestrator.sandbox.clio.actions import press_action
from orchestrator.sandbox.firm import bills
from orchestrator.sandbox.firm.things import Facts, Thing
from orchestrator.sandbox.refusal import unprocessable

ACTS: dict[str, Act] = {
    "log_time": billing.log_time,
    "edit_time": billing.edit_time,
    "delete_time": billing.delete_time,
    "generate_bill": billing.generate_bill,
    "request_trust": billing.request_trust,
    "submit_bill": billing.step(bills.submit),
    "approve_bill": billing.approve_bill,
    "reopen_bill": billing.step(bills.send_back),
    "void_bill": billing.step(bills.void),
    "delete_bill": billing.step(bills.delete),
    "credit_bill": billing.credit_bill,
    "give_credit": billing.give_credit,
    "apply_credit": billing.apply_credit,
    "send_bill": billing.step(bills.send),
    "set_due": billing.set_due,
    "record_payment": billing.record_payment,
    "delete_payment": billing.delete_payment,
    "apply_trust": trust.apply_trust,
    "deposit_trust": trust.deposit_trust,
    "assign_client_funds": trust.assign_client_funds,
    "transfer_trust": trust.transfer_trust,
    "disburse_trust": trust.disburse_trust,
    "correct_posting": trust.correct_posting,
    "record_return": trust.record_return,
    "transfer_accounts": trust.transfer_accounts,
    "pay_link": paying.pay_link,
    "set_payment_state": paying.set_payment_state,
    "refund_payment": paying.reverse("refund"),
    "chargeback_payment": paying.reverse("chargeback"),
    "return_payment": paying.reverse("return"),
    "create_link_by_hand": paying.create_link_by_hand,
    "create_matter": office.create_matter,
    "create_contact": office.create_contact,
    "open_matter": office.matter_status("Open"),
    "pend_matter": office.matter_status("Pending"),
    "close_matter": office.matter_status("Closed"),
    "set_stage": office.set_stage,
    "set_custom_field": office.set_custom_field,
    "create_custom_field": office.create_custom_field,
    "edit_matter": office.edit_matter,
    "edit_contact": office.edit_contact,
    "complete_task": office.complete_task,
    "edit_user": office.edit_user,
    "hide_matter": office.hide_matter,
    "press_action": press_action,
    "return_mail": office.return_mail,
    "bulk": paying.bulk,
}

DEALINGS: dict[str, Dealing] = {
    "lawpay_pay": gateway.lawpay_pay,
    "lawpay_refund": gateway.lawpay_refund,
    "lawpay_void": gateway.lawpay_void,
    "lawpay_return_echeck": gateway.lawpay_return_echeck,
    "link_lawpay_payment": trust.link_lawpay_payment,
    "lawpay_chargeback": gateway.lawpay_chargeback,
    "lawpay_draw": gateway.lawpay_draw,
    "bank_line": gateway.bank_line,
    "record_bank_fees": gateway.record_bank_fees,
    "plant_fault": planting.plant_fault,
    "set_lawpay_webhooks": gateway.set_lawpay_webhooks,
}

VERBS = (*ACTS, *DEALINGS)


def act(parties: Parties, verb: str, facts: Facts) -> Facts:
    """Do what the verb says and show what came of it; a missing fact is named."""
    if verb not in VERBS:
        raise unprocessable(f"There is no act {verb}; choose from {', '.join(VERBS)}.")
    try:
        result = ACTS[verb](parties.books, facts) if verb in ACTS else DEALINGS[verb](parties, facts)
    except KeyError as error:
        raise unprocessable(f"{verb} needs {error.args[0]}.") from None
    except (ValueError, TypeError, ArithmeticError) as error:
        raise unprocessable(f"{verb}: {error}") from None
    return described(result) if isinstance(result, Thing) else dict(result)
