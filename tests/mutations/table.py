"""The safeguards without which money or mail could be lost or doubled, each with the edit that takes it away."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """`before` stands exactly once in `file`."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """One safeguard gone; at least one of `tests` must fail for it."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


EFFECTS = "orchestrator/engine/effects.py"
JOBS = "orchestrator/storage/jobs.py"
PAGES = "orchestrator/domain/lawpay_pages.py"
LAWPAY = "orchestrator/domain/lawpay_payments.py"
RAIL = "orchestrator/usecases/choose_rail.py"
TEST_PAGES = "tests/domain/test_lawpay_pages.py"
TEST_LAWPAY = "tests/domain/test_lawpay_payments.py"
TEST_PAID = "tests/journeys/test_w7_lawpay_payment.py"
TEST_EFFECTS = "tests/engine/test_effects.py"
TEST_JOBS = "tests/engine/test_jobs.py"
TRUST = "orchestrator/storage/trust.py"
TRUST_SCHEMA = "orchestrator/storage/migrations/versions/0011_trust.py"
TEST_TRUST = "tests/storage/test_trust_ledgers.py"
TEST_DRAW = "tests/journeys/test_w9_trust_draw.py"
TEST_PAST = "tests/recovery/test_links_of_a_lost_past.py"

MUTATIONS = (
    Mutation(
        "settle wait",
        (Edit(EFFECTS, "    if rt.clock() < settled:\n", "    if False:\n"),),
        (f"{TEST_EFFECTS}::test_F03_a_late_creation_whose_worker_died_as_well_is_waited_for",),
    ),
    Mutation(
        "fence",
        (Edit(JOBS, 'jobs.c.fence == sa.bindparam("held_fence")', 'jobs.c.fence >= sa.bindparam("held_fence")'),),
        (f"{TEST_JOBS}::test_F11_nothing_but_the_fence_keeps_the_late_worker_out",),
    ),
    Mutation(
        "unique key of jobs",
        (
            Edit("orchestrator/storage/tables.py", '    UniqueConstraint("topic", "key"),\n', ""),
            Edit(
                "orchestrator/storage/migrations/versions/0001_the_first_schema.py",
                '        sa.UniqueConstraint("topic", "key", name=op.f("uq_jobs_topic_key")),\n', "",
            ),
        ),
        (f"{TEST_JOBS}::test_a_fact_makes_one_job_however_often_it_is_told",),
    ),
    Mutation(
        "lease check in the mark",
        (Edit(JOBS, "*_MINE, jobs.c.held_until > real_now(), _GATE", "*_MINE, _GATE"),),
        (f"{TEST_JOBS}::test_F11_a_lease_that_ran_out_is_too_late_for_sending_even_if_nobody_took_over",),
    ),
    Mutation(
        "leaving only while the lease lasts",
        (Edit(EFFECTS, "    with leaving_by(marked + lease / 2):\n", '    with leaving_by(float("inf")):\n'),),
        (
            f"{TEST_EFFECTS}::test_F11_a_worker_frozen_before_sending_wakes_and_sends_nothing",
            f"{TEST_EFFECTS}::test_F11_a_worker_frozen_between_its_last_look_and_the_wire_sends_nothing",
        ),
    ),
    Mutation(
        "look again before sending again",
        (Edit(EFFECTS, "        _send(effect, effect.look())\n\n\ndef _adopted", "        _send(effect, job.intent)\n\n\ndef _adopted"),),
        (f"{TEST_EFFECTS}::test_F62_what_is_not_wanted_any_more_is_not_sent_once_more",),
    ),
    Mutation(
        "search twice",
        (Edit(EFFECTS, "effect.search(intent) or effect.search(intent)", "effect.search(intent)"),),
        (f"{TEST_EFFECTS}::test_F40_one_empty_answer_to_the_search_does_not_mean_that_nothing_was_made",),
    ),
    Mutation(
        "search before the first sending after a restore",
        (Edit(EFFECTS, "    if not _adopted(effect, looked):\n        _send(effect, looked)", "    _send(effect, looked)"),),
        ("tests/recovery/test_restored_backup.py::test_F57_two_lost_hours_are_found_again_and_nothing_is_done_twice",),
    ),
    Mutation(
        "reading the bill just before a message",
        (Edit("orchestrator/usecases/send_message.py", "        refresh(self.rt, self.job, since_due=True)\n", ""),),
        ("tests/journeys/test_w6_client_message.py::test_F62_a_bill_settled_between_link_and_message_sends_no_message",),
    ),
    Mutation(
        "reading the bill just before a link",
        (Edit("orchestrator/usecases/create_link.py", "        refresh(self.rt, self.job, since_due=False)\n", ""),),
        ("tests/journeys/test_w5_payment_link.py::test_F62_a_bill_voided_just_before_its_link_is_made_gets_none",),
    ),
    Mutation(
        "reading everything just before a reminder",
        (Edit("orchestrator/usecases/read_standings.py", "    _read_bills(rt, practice, bill_ids, oldest)\n", ""),),
        ("tests/usecases/test_read_standings.py::test_F62_nothing_is_sent_when_just_before",),
    ),
    Mutation(
        "SENT before sending",
        (Edit(JOBS, "        state=JobState.SENT,\n        sent_at=_NOW,", "        state=JobState.CLAIMED,\n        sent_at=_NOW,"),),
        (f"{TEST_EFFECTS}::test_F01_a_link_whose_answer_died_with_its_worker_is_adopted",),
    ),
    Mutation(
        "check character of a reference",
        (Edit(PAGES, 'if found is None or check_character(found[0].rpartition("-")[0]) != found[4]:', "if found is None:"),),
        (f"{TEST_PAGES}::test_F65_one_wrong_character_is_noticed",),
    ),
    Mutation(
        "class of the account behind a page",
        (Edit(PAGES, "        if account.account_class is wanted\n", "        if account\n"),),
        (f"{TEST_PAGES}::test_T1_a_bill_for_work_is_paid_into_operating",),
    ),
    Mutation(
        "an unknown trust flag refuses",
        (Edit(LAWPAY, "    if said.trust is None:\n", "    if False:\n"),),
        (f"{TEST_LAWPAY}::test_T1_both_must_say_so",),
    ),
    Mutation(
        "amount paid against amount asked",
        (Edit(LAWPAY, "(charge.amount_cents != asked.amount_cents, ", "(charge.amount_cents < asked.amount_cents, "),),
        (f"{TEST_PAID}::test_F65_an_edited_amount_is_a_person_s_and_is_booked_nowhere",),
    ),
    Mutation(
        "a transaction moves forward only",
        (Edit("orchestrator/storage/gateway.py", ", where=newer)", ")"),),
        ("tests/storage/test_gateway.py::test_F17_a_row_moves_forward_only[sqlite]",),
    ),
    Mutation(
        "silence until a payment is recorded in Clio",
        (Edit(RAIL, '            found[bill_id] = Silence("payment_to_record")\n', "            pass\n"),),
        (f"{TEST_PAID}::test_one_task_asks_for_it_to_be_recorded_and_the_bill_keeps_silent_until_it_is",),
    ),
    Mutation(
        "the first payment uses a page",
        (Edit("orchestrator/usecases/match_lawpay.py", "        work.links.claim(link, charge_id)\n", "        pass\n"),),
        (f"{TEST_PAID}::test_T5_a_page_that_is_paid_twice_pays_its_bill_once_and_the_second_is_held_for_the_client",),
    ),
    Mutation(
        "no draw for what was paid at LawPay",
        (Edit("orchestrator/usecases/plan_draws.py", "    bill = less_paid_elsewhere(work, bill)\n", ""),),
        (f"{TEST_PAID}::test_T8_trust_money_is_not_drawn_for_what_was_paid_at_lawpay",),
    ),
    Mutation(
        "reading LawPay just before a message",
        (Edit("orchestrator/usecases/send_message.py", "            hear_lawpay(self.rt, self.job, younger_than=JUST_NOW)\n", "            pass\n"),),
        ("tests/journeys/test_w5_lawpay_page.py::test_F62_a_client_who_has_paid_is_sent_nothing_even_when_nobody_has_looked_since",),
    ),
    Mutation(
        "one matter on a rung",
        (Edit("orchestrator/domain/references.py", " if len(said) == 1 else Ambiguous(tuple(sorted(said)), rung)", ""),),
        ("tests/domain/test_references.py::test_F70_an_old_number_still_names_its_matter_until_another_bears_it",),
    ),
    Mutation(
        "a word of last year decides about this year's matter",
        (Edit("orchestrator/domain/references.py", " if row.since > word.since}", " if False}"),),
        ("tests/domain/test_references.py::test_what_bears_the_name_since_makes_a_person_s_word_ambiguous_again",),
    ),
    Mutation(
        "nothing half-imported",
        (Edit("orchestrator/usecases/exchange_references.py", "        if faults:\n            raise NotImported([sentence for _, sentence in sorted(faults)])\n", ""),),
        ("tests/journeys/test_w11_lookup_table.py::test_a_file_with_faults_is_refused_whole_with_a_sentence_for_each_line",),
    ),
    Mutation(
        "each audit line carries the one before it",
        (Edit("orchestrator/domain/audit_chain.py", "        if line.prev == self.last_hash:\n            return None\n", "        return None\n"),),
        ("tests/domain/test_audit_chain.py::test_T47_a_line_taken_out_is_missed",),
    ),
    Mutation(
        "the mark's line must be there",
        (Edit("orchestrator/engine/lineage.py", " or _compared(work, life, seen)", ""),),
        ("tests/recovery/test_audit_chain_kept.py::test_F82_a_cut_tail_is_noticed_at_the_start_and_the_firm_recovers",),
    ),
    Mutation(
        "promise only what is free",
        (Edit(TRUST, "sa.not_(trust_ledgers.c.frozen), after <= free\n", "sa.not_(trust_ledgers.c.frozen)\n"),),
        (f"{TEST_TRUST}::test_T29_money_claimed_by_a_third_party_is_not_promised",),
    ),
    Mutation(
        "no line of ours beyond what is promised",
        (Edit(TRUST, "moved.where(sa.not_(trust_ledgers.c.frozen), after >= promised)", "moved"),),
        (f"{TEST_TRUST}::test_T29_money_claimed_by_a_third_party_is_not_promised",),
    ),
    Mutation(
        "deposits wait until they clear",
        (Edit(TRUST, "trust_lines.c.clears_on > today)\n", "trust_lines.c.clears_on > date.max)\n"),),
        (f"{TEST_TRUST}::test_T13_a_deposit_that_has_not_cleared_cannot_be_promised",),
    ),
    Mutation(
        "trust lines are append-only",
        (
            Edit(TRUST_SCHEMA, "BEFORE {verb} ON trust_lines", "BEFORE {verb} ON trust_holds"),
            Edit(TRUST_SCHEMA, "BEFORE UPDATE OR DELETE OR TRUNCATE ON trust_lines", "BEFORE UPDATE ON trust_holds"),
        ),
        (f"{TEST_TRUST}::test_T12_the_database_refuses_to_change_or_drop_a_posted_line",),
    ),
    Mutation(
        "a line that left trust is taken back",
        (Edit("orchestrator/usecases/sync_ledger.py", 'elif row is not None and (account is None or account.key != row["account"]):', "elif False and row is not None:"),),
        ("tests/usecases/test_sync_ledger.py::test_T12_a_line_moved_out_of_trust_in_clio_is_taken_back_by_a_line_and_the_books_agree",),
    ),
    Mutation(
        "one line that cannot stand holds no other up",
        (Edit("orchestrator/usecases/sync_ledger.py", "    if not _can_stand(work, posting, account):\n        return set()\n", ""),),
        ("tests/usecases/test_sync_ledger.py::test_T50_a_line_in_another_currency_is_a_person_s_and_holds_no_other_up",),
    ),
    Mutation(
        "a deposit that went back is looked for",
        (
            Edit(
                "orchestrator/usecases/sync_bills.py",
                '        if before is not None and before["updated_at"] < bill.updated_at:\n            self._look_at_payments',
                "        if before is not None and bill.kind is BillKind.REVENUE:\n            self._look_at_payments",
            ),
        ),
        ("tests/journeys/test_w9_retainers.py::test_F66_a_deposit_that_is_charged_back_leaves_the_books_again",),
    ),
    Mutation(
        "what a settled bill is paid again is held for the client",
        (Edit(LAWPAY, "    return bool(TOO_MUCH & set(found)) and not IN_DOUBT & set(found)\n", "    return False\n"),),
        (f"{TEST_PAID}::test_F63_T5_what_is_paid_after_a_cheque_is_held_for_the_client_and_told_once",),
    ),
    Mutation(
        "trouble with the database costs no attempt",
        (Edit("orchestrator/engine/run.py", "work.jobs.let_go(job, pause_seconds=pause, counted=False)", "work.jobs.let_go(job, pause_seconds=pause)"),),
        ("tests/engine/test_database_trouble.py::test_F56_a_job_that_met_a_full_disk_rests_the_longer_the_longer_it_was_due",),
    ),
    Mutation(
        "notice before the draw",
        (Edit("orchestrator/domain/draws.py", '    if noticed_on is None or draw_from is None:\n        return "trust_notice_missing"\n    if today < draw_from:', "    if draw_from is not None and today < draw_from:"),),
        (f"{TEST_DRAW}::test_T18_without_a_delivered_notice_nothing_is_authorised",),
    ),
    Mutation(
        "only a signatory authorises",
        (Edit("orchestrator/usecases/authorise_draw.py", "rt.settings.trust.signatory(name=by))", "rt.settings.trust.signatories[0])"),),
        (f"{TEST_DRAW}::test_T19_only_a_person_on_the_list_authorises",),
    ),
    Mutation(
        "a draw that left gives its promise back",
        (Edit("orchestrator/usecases/follow_draw.py", '        work.trust.let_go(ledger["id"], cents)\n', ""),),
        (f"{TEST_DRAW}::test_a_bill_is_paid_from_its_matter_s_trust_money_and_no_link_is_made",),
    ),
    Mutation(
        "the link asks for the rest only",
        (Edit("orchestrator/domain/asking.py", "    asked = bill.open_cents - promised_cents\n", "    asked = bill.open_cents\n"),),
        (f"{TEST_DRAW}::test_a_link_asks_only_for_what_trust_money_does_not_pay",),
    ),
    Mutation(
        "no reminder on the day of another message",
        (
            Edit("orchestrator/domain/silence.py", '        (standing.message_waits, Quiet("message_on_its_way")),\n', ""),
            Edit("orchestrator/domain/silence.py", '        (standing.written_on == today, Quiet("client_written_today", until=today)),\n', ""),
        ),
        ("tests/journeys/test_w8_silence.py::test_F72_on_the_day_of_another_message_about_a_bill_there_is_no_reminder_beside_it",),
    ),
    Mutation(
        "a person's hold silences",
        (Edit("orchestrator/domain/silence.py", "        *_held(standing, today, rules),\n", ""),),
        ("tests/journeys/test_w8_silence.py::test_nobody_is_written_to_while",),
    ),
    Mutation(
        "a step that was sent is done",
        (Edit("orchestrator/domain/reminders.py", "    return Due(None if latest.key in done else latest, left, ", "    return Due(latest, left, "),),
        ("tests/journeys/test_w8_reminders.py",),
    ),
    Mutation(
        "nothing of a bill goes to one address twice",
        (Edit("orchestrator/storage/messages.py", "        if self.left_for(address, link_id) or (", "        if ("),),
        ("tests/journeys/test_w6_address_mended.py::test_F76_an_address_that_was_changed_back_gets_nothing_twice",),
    ),
    Mutation(
        "what a relay may have taken is not handed over for another address",
        (Edit("orchestrator/usecases/send_message.py", 'if before is not None and before["recipient"] != address_key(address):', "if False:"),),
        ("tests/journeys/test_w6_address_mended.py::test_F75_F71_what_a_relay_may_have_taken_is_not_handed_over_again_for_another_address",),
    ),
    Mutation(
        "a bill that arrived late is not overtaken by its own steps",
        (Edit("orchestrator/usecases/judge_reminders.py", "delivered_on=facts.standing.delivered_on)\n    quiets", ")\n    quiets"),),
        ("tests/journeys/test_w6_address_mended.py::test_F76_reminders_of_a_bill_that_was_not_delivered_count_from_the_day_on_which_it_was",),
    ),
    Mutation(
        "no link before Clio's were read of late",
        (Edit("orchestrator/usecases/create_link.py", "            if self._unread(work):\n", "            if False:\n"),),
        (f"{TEST_PAST}::test_F57_a_machine_put_back_makes_no_link_before_it_has_looked_whether_it_had_made_it",),
    ),
    Mutation(
        "one live link of ours for one balance",
        (Edit("orchestrator/usecases/recover.py", "        over = superfluous(rt, practice, seen.values())\n", "        over = set()\n"),),
        (f"{TEST_PAST}::test_F57_of_two_links_that_were_both_mailed_the_newer_stays",),
    ),
    Mutation(
        "of two links the one that was mailed",
        (Edit("orchestrator/usecases/revoke_link.py", "max(mailed or fit, ", "max(fit, "),),
        (f"{TEST_PAST}::test_F57_the_link_that_the_client_holds_stays_and_a_newer_one_that_nobody_was_sent_ends",),
    ),
    Mutation(
        "a held bill is not asked for in passing",
        (Edit("orchestrator/usecases/send_reminder.py", "            if not any(quiet(one,", "            if True or any(quiet(one,"),),
        ("tests/journeys/test_w5_one_link_for_several.py::test_a_reminder_does_not_ask_in_passing_for_a_bill_that_is_held",),
    ),
)  # fmt: skip
