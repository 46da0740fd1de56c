#include "cli/audit_plan_check.hpp"

#include "approval/decision.hpp"
#include "approval/state.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/audit_decision_check.hpp"
#include "cli/audit_outcome_check.hpp"
#include "cli/audit_plan_files.hpp"
#include "cli/audit_steps_check.hpp"
#include "runbooks/plan.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using approval::PlanState;
using base::Json;

constexpr std::string_view plan_prefix = "plan.";
constexpr std::string_view step_prefix = "step.";

std::optional<PlanState> state_of(std::string_view type) {
    if (!type.starts_with(plan_prefix))
        return std::nullopt;
    for (const PlanState state : approval::all_states())
        if (type.substr(plan_prefix.size()) == base::lower_ascii(approval::name(state)))
            return state;
    return std::nullopt;
}

/// The payload as JSON; an empty object when it is erased or no JSON.
Json content_of(const PlanRecord& record) {
    const auto parsed =
        base::parse_json(record.payload.value_or(""), base::limits::audit_payload_bytes_max);
    return parsed && parsed->is_object() ? *parsed : Json::object();
}

class PlanCheck {
public:
    explicit PlanCheck(const PlanEvidence& evidence) : evidence_(evidence) {}

    PlanReport run() {
        report_.digest = evidence_.digest;
        read_plan();
        for (const auto& record : evidence_.records)
            follow(record);
        if (!state_)
            problem("no record tells of its submission");
        else
            report_.state = approval::name(*state_);
        check_numbers();
        find_authority();
        compare_files();
        check_quorum();
        check_run();
        check_steps();
        check_end();
        return std::move(report_);
    }

private:
    void problem(const std::string& what) { report_.problems.push_back(sentence(what)); }
    void not_known(const std::string& what) { report_.not_known.push_back(sentence(what)); }
    void erased(const std::string& what) { report_.erased.push_back(sentence(what)); }
    std::string sentence(const std::string& what) const {
        return "Plan " +
               base::sanitize(report_.plan_id.empty() ? report_.digest : report_.plan_id) + ": " +
               base::sanitize(what) + ".";
    }
    bool in_store() const { return evidence_.place == Place::store; }
    std::string place() const { return in_store() ? "the store" : "the bundle"; }
    /// "record 5, whose payload was erased on ..."
    static std::string without_payload(const PlanRecord& record) {
        return "record " + std::to_string(record.index) + ", whose payload " +
               (record.erased.empty() ? "is missing" : "was " + record.erased);
    }
    void problem(const PlanRecord& record, const std::string& what) {
        problem("record " + std::to_string(record.index) + ", " + what);
    }
    const std::string* file(const std::string& name) const {
        const auto found = evidence_.files.find(name);
        return found == evidence_.files.end() ? nullptr : &found->second;
    }

    void read_plan() {
        for (const auto& record : evidence_.records) {
            report_.plan_id = base::string_member(content_of(record), "plan_id").value_or("");
            if (!report_.plan_id.empty())
                break;
        }
        if (report_.plan_id.empty())
            take_id_beside();
        const auto* bytes = file("plan.json");
        if (bytes == nullptr) {
            problem("its bytes are not in " + place());
            return;
        }
        if (base::hex(runbooks::plan_digest(*bytes)) != evidence_.digest)
            problem("its bytes do not have the digest that its records name");
        auto plan = runbooks::parse_plan(*bytes);
        if (!plan) {
            problem("its bytes are no plan: " + plan.error().what);
            return;
        }
        plan_ = std::move(plan).value();
        report_.runbook = plan_->runbook;
        report_.target = plan_->target.target;
    }

    /// When no record tells the id any more, a file may, and nothing vouches for it.
    void take_id_beside() {
        const auto* text = file("about.json");
        const auto about = text != nullptr ? base::parse_json(*text) : base::Result<Json>(Json());
        report_.plan_id = about ? base::string_member(*about, "plan_id").value_or("") : "";
        if (!report_.plan_id.empty())
            erased("the payloads of all its records were erased, and only about.json tells its id");
    }

    // --- The story ---------------------------------------------------------------------------

    void follow(const PlanRecord& record) {
        const Json content = content_of(record);
        check_version(record, content);
        check_number(record, content);
        if (record.type.starts_with(step_prefix)) {
            if (auto step = read_step(record.index, record.type, content, record.time))
                steps_.push_back(std::move(*step));
            else
                ++unread_steps_;
            return;
        }
        if (record.type == "plan.submitted" || record.type == "plan.blocked") {
            if (state_)
                problem(record, "it was submitted twice");
            state_ = record.type == "plan.blocked" ? PlanState::blocked : PlanState::pending;
            begin(record, content);
            return;
        }
        if (record.type == "plan.joined" && state_ == PlanState::pending)
            facts_.requesters.push_back(record.actor);
        if (!record.payload)
            facts_.state_reason.reset(); // it may have given another
        else if (content.contains("event"))
            facts_.state_reason = base::string_member(content, "reason").value_or("");
        const bool approves = is_approval(record);
        const bool denies = record.type == "plan.rejected" || record.type == "plan.revoked";
        if (approves || content.contains("statement") || (denies && !record.payload))
            decide(record, content);
        if (const auto next = state_of(record.type))
            move_to(*next, record, content);
        if (record.type == "plan.finished") {
            finished_ = content;
            finish_ = &record;
        }
    }

    static bool is_approval(const PlanRecord& record) {
        return record.type == "plan.approved" || record.type == "plan.approve_counted";
    }

    void begin(const PlanRecord& record, const Json& content) {
        report_.requested_by = record.actor;
        report_.requested_at = record.time;
        facts_.requesters.push_back(record.actor);
        facts_.created_at = record.time;
        submitted_ = {record.index, record.actor, ""};
        if (!record.payload)
            return erased("what it was submitted with is told by " + without_payload(record));
        const auto text = [&](const char* name) {
            return base::string_member(content, name).value_or("");
        };
        facts_.state_reason = "";
        facts_.client = text("client");
        facts_.trace_parent = submitted_.trace_parent = text("trace_parent");
        pending_until_ = text("expires_at");
        const auto* shown = file("presentation.json");
        if (shown == nullptr)
            return;
        if (approval::presentation_digest(*shown) != text("presentation_digest"))
            return problem(record, "what was to be shown is not what " + place() + " holds");
        if (const auto presentation = runbooks::parse_presentation(*shown)) {
            report_.hypothesis = presentation->hypothesis;
            report_.incident = presentation->incident;
        }
    }

    void find_authority() {
        if (evidence_.calls == nullptr)
            return;
        if (const auto* call = evidence_.calls->that_asked(submitted_))
            report_.asked = *call;
        if (submitted_.trace_parent.empty())
            return;
        if (!report_.asked)
            not_known("the records of the call that asked for it are not in the bundle, so on "
                      "whose authority is not known");
        else if (!report_.asked->end)
            not_known("the record that ends the call that asked for it is not in the bundle");
    }

    void move_to(PlanState next, const PlanRecord& record, const Json& content) {
        const auto from = base::string_member(content, "from");
        if (!state_ || (from && *from != approval::name(*state_)))
            problem(
                record,
                std::string("it went on from ") + (from ? *from : "an unknown state") +
                    ", and the records before leave it " +
                    (state_ ? std::string("in ") + approval::name(*state_) : "unsubmitted") +
                    ": one is missing"
            );
        state_ = next;
        if (next == PlanState::approved)
            approved_at_ = record.time;
        claimed_ = claimed_ || next == PlanState::claimed;
        completed_ = completed_ || base::string_member(content, "event") == "steps_complete";
        if (next == PlanState::executing && report_.started_at.empty()) {
            report_.started_at = record.time;
            report_.executor = record.actor;
        }
    }

    /// Every change of a plan has the next number, so that a record left out shows.
    void check_version(const PlanRecord& record, const Json& content) {
        const auto version = base::integer_member(content, "version");
        const bool changes = content.contains("event") || record.type == "plan.submitted" ||
                             record.type == "plan.blocked" || record.type == "plan.finished";
        if (version && version_known_ && *version != version_ + (changes ? 1 : 0))
            problem(
                record,
                "it has the version " + std::to_string(*version) + " after " +
                    std::to_string(version_) + ": a record is missing or was put elsewhere"
            );
        version_known_ = version.has_value();
        version_ = version.value_or(0);
    }

    /// Each record is numbered among those of its plan: whichever is left out, the next one tells.
    void check_number(const PlanRecord& record, const Json& content) {
        ++records_;
        const auto number = base::integer_member(content, "record_of_plan");
        if (!number) {
            unnumbered_ += record.payload && content.contains("version") ? 1 : 0;
            return;
        }
        if (*number != records_)
            problem(
                record,
                "it is number " + std::to_string(*number) +
                    " of the plan's records, and here it is number " + std::to_string(records_) +
                    ": one is missing or was put elsewhere"
            );
        records_ = *number;
    }

    void check_numbers() {
        if (unnumbered_ > 0)
            not_known("its records were written before records were numbered, so whether one that "
                      "changed nothing is missing cannot be known");
    }

    // --- Decisions -----------------------------------------------------------------------------

    void decide(const PlanRecord& record, const Json& content) {
        if (!record.payload) {
            erased("the decision cannot be verified of " + without_payload(record));
            DecisionReport decision = unverified_decision(record);
            decision.erased = record.erased.empty() ? "its payload is missing" : record.erased;
            erased_approvals_ += is_approval(record) ? 1 : 0;
            facts_.decisions.emplace_back();
            report_.decisions.push_back(decision);
            return;
        }
        const auto text = [&](const char* name) {
            return base::string_member(content, name).value_or("");
        };
        facts_.decisions.emplace_back(RecordedDecision{
            text("statement"), text("signature"), text("allowed_signers")});
        const auto checked = check_decision(
            {record,
             content,
             evidence_.digest,
             file("presentation.json"),
             evidence_.allowed_signers,
             place()}
        );
        for (const auto& what : checked.problems)
            problem(record, what);
        if (checked.approves)
            count_approval(record, checked);
        report_.decisions.push_back(checked.report);
    }

    void count_approval(const PlanRecord& record, const CheckedDecision& checked) {
        approvals_.push_back(checked.approver);
        if (checked.signed_at)
            oldest_approval_ =
                std::min(oldest_approval_.value_or(*checked.signed_at), *checked.signed_at);
        for (const auto& requester : facts_.requesters)
            if (approval::same_person({}, requester, checked.approver))
                problem(record, checked.approver + " approved what was requested by the same");
        if (!pending_until_.empty() && record.time >= pending_until_)
            problem(record, "it was approved after its time was up at " + pending_until_);
    }

    /// What the queue says of the plan, and what its records do.
    void compare_files() {
        facts_.plan_id = report_.plan_id;
        facts_.state = state_;
        if (version_known_)
            facts_.version = version_;
        facts_.expires_at = expires_at();
        facts_.steps = !steps_.empty() || unread_steps_ > 0;
        facts_.older_form = evidence_.place == Place::older_bundle;
        const auto found = compare_plan_files(evidence_.files, facts_);
        for (const auto& what : found.problems)
            problem(what);
        for (const auto& what : found.not_known)
            erased(what);
    }

    /// Until when the state lasts that its records leave it in; "" = without end.
    std::optional<std::string> expires_at() const {
        const bool approved = state_ == PlanState::approved;
        if (!state_ || !approval::is_open(*state_))
            return "";
        if (!approved)
            return pending_until_.empty() ? std::nullopt : std::optional(pending_until_);
        const auto since = base::parse_time(approved_at_.value_or(""));
        if (!since || !plan_)
            return std::nullopt;
        return base::format_time(*since + approval::approval_lifetime(*plan_));
    }

    void check_quorum() {
        if (!approved_at_ || !plan_)
            return;
        const auto needs = approval::required_approvals(*plan_);
        std::set<std::string> people;
        for (const auto& approver : approvals_)
            people.insert(approval::person({}, approver));
        const bool enough = static_cast<int>(people.size()) >= needs.approvals;
        if (!enough && static_cast<int>(people.size()) + erased_approvals_ >= needs.approvals)
            erased(
                "whether " + std::to_string(needs.approvals) +
                " people approved it is not known: the payloads of " +
                std::to_string(erased_approvals_) + " of its approvals were erased"
            );
        else if (!enough)
            problem(
                "it was approved by " + std::to_string(people.size()) + " of " +
                std::to_string(needs.approvals) + " people"
            );
        const auto lifetime = approval::approval_lifetime(*plan_);
        auto until = base::parse_time(*approved_at_);
        if (!until)
            return;
        auto ends = *until + lifetime;
        if (oldest_approval_)
            ends = std::min(ends, *oldest_approval_ + lifetime);
        report_.approved_until = base::format_time(ends);
    }

    // --- What ran ------------------------------------------------------------------------------

    void check_run() {
        if (report_.started_at.empty()) {
            if (state_ == PlanState::succeeded)
                problem("it succeeded, and no record tells that it began");
            if (file("outcome.json") != nullptr || !finished_.is_null())
                check_outcome();
            return;
        }
        report_.expiry_kept =
            !report_.approved_until.empty() && report_.started_at < report_.approved_until;
        if (!*report_.expiry_kept)
            problem(
                "it began at " + report_.started_at + ", and " +
                (report_.approved_until.empty() ? "was never approved"
                                                : "its approval ended at " + report_.approved_until)
            );
        else if (erased_approvals_ > 0) {
            report_.expiry_kept.reset();
            erased("whether its approval was still alive when it began is not known: the "
                   "payloads that told when people signed were erased");
        }
        if (state_ && approval::is_running(*state_) && finished_.is_null() &&
            *state_ != PlanState::claimed) {
            if (!in_store()) // there, it may be running now
                problem("it began, and no record tells how it ended (it may still be running)");
            return;
        }
        check_outcome();
    }

    void check_outcome() {
        const bool ran = !report_.started_at.empty();
        if (ran)
            report_.same_bytes_ran = false;
        const auto* text = file("outcome.json");
        if (text == nullptr) {
            problem("an executor took it up, and its outcome is not in " + place());
            return;
        }
        const auto outcome = base::parse_json(*text);
        if (!outcome || !outcome->is_object()) {
            problem("its outcome cannot be read");
            return;
        }
        if (finished_.is_null())
            problem("no record holds its outcome");
        else if (!finish_->payload)
            erased(
                "whether its outcome is the one that was recorded is not known of " +
                without_payload(*finish_)
            );
        else if (base::string_member(finished_, "outcome_digest") != base::hex(base::sha256(*text)))
            problem("its outcome is not the one that was recorded");
        const bool same_bytes =
            base::string_member(*outcome, "plan_digest") == evidence_.digest && plan_ &&
            base::hex(runbooks::plan_digest(*file("plan.json"))) == evidence_.digest;
        if (ran)
            report_.same_bytes_ran = same_bytes;
        if (!same_bytes)
            problem("the executor ran other bytes than those that were approved");
        const auto signature = check_outcome_signature(
            *outcome, evidence_.executor_keys, evidence_.executor_keys_given
        );
        report_.outcome_signed = signature.holds;
        report_.outcome_key = signature.key;
        report_.outcome_key_vouched = signature.vouched;
        if (!report_.outcome_signed)
            problem(
                report_.outcome_key.empty()
                    ? "its outcome is not signed by the executor's key"
                    : "its outcome is signed by the key " + report_.outcome_key +
                          ", which is none of the executors' keys that were given (give all that "
                          "were in use)"
            );
        else if (report_.outcome_key_vouched == Vouched::nobody)
            not_known(
                "its outcome is signed by the key " + report_.outcome_key + ", and nothing in " +
                place() +
                " says whose that is: compare it with the executor's, or give that as "
                "--executor-key"
            );
        const auto ended = base::string_member(*outcome, "state");
        const auto recorded = base::string_member(finished_, "state");
        if (!finished_.is_null() && finish_->payload && ended != recorded)
            problem(
                "its outcome ends in " + ended.value_or("no state") + ", and its record in " +
                recorded.value_or("none")
            );
        outcome_ = *outcome;
    }

    /// What was done to the target, told by its records, the outcome and the list of steps.
    void check_steps() {
        if (unread_steps_ > 0)
            return erased(
                "the payloads of " + std::to_string(unread_steps_) +
                " records of its steps were erased, so what was done cannot be known from its "
                "records"
            );
        const auto tell = [&](const std::vector<std::string>& problems) {
            for (const auto& what : problems)
                problem(what);
        };
        tell(check_step_order(steps_));
        if (completed_ && plan_)
            tell(check_every_step(
                steps_, plan_->steps.size(), "its records say that every step is done"
            ));
        if (state_ == PlanState::rolled_back)
            tell(check_undone(steps_));
        if (!outcome_.is_null())
            tell(check_outcome_steps(steps_, outcome_));
        if (const auto* text = file("steps.json")) {
            const auto list = base::parse_json(*text, base::limits::audit_bundle_bytes_max);
            if (list && list->is_array())
                tell(check_listed_steps(steps_, *list));
            else
                problem("its list of steps cannot be read");
        }
    }

    /// Whether anything may have followed the last record that is here.
    void check_end() {
        if (!state_)
            return;
        const bool over = approval::is_terminal(*state_) || *state_ == PlanState::closed;
        if (over) {
            if (claimed_ && report_.started_at.empty() && finished_.is_null())
                problem("an executor took it up, and no record holds its outcome");
            return;
        }
        const bool waits = approval::is_open(*state_) || *state_ == PlanState::hold;
        if (waits && !evidence_.nothing_follows)
            not_known(
                std::string("its last record leaves it ") + approval::name(*state_) +
                ", and whether more followed before the checkpoint cannot be known from this "
                "bundle; "
                "a period from " +
                (evidence_.records.empty() ? "" : evidence_.records.back().time) +
                " on, without --to, shows it"
            );
        if (*state_ == PlanState::claimed && !in_store())
            problem("an executor took it up, and no record tells what came of it (it may still be "
                    "running)");
    }

    const PlanEvidence& evidence_;
    PlanReport report_;
    std::optional<runbooks::Plan> plan_;
    std::optional<PlanState> state_;
    RecordedFacts facts_;
    Submitted submitted_;
    std::vector<std::string> approvals_;
    int erased_approvals_ = 0;
    std::optional<std::string> approved_at_;
    std::optional<base::Time> oldest_approval_;
    std::string pending_until_;
    Json finished_;
    const PlanRecord* finish_ = nullptr; // that told it
    Json outcome_;                       // null: none, or unreadable
    std::vector<StepRecord> steps_;
    std::size_t unread_steps_ = 0;
    bool claimed_ = false;
    bool completed_ = false; // a record says that every step is done
    long long records_ = 0;
    std::size_t unnumbered_ = 0;
    long long version_ = 0;
    bool version_known_ = true; // before the first
};

} // namespace

PlanReport check_plan(const PlanEvidence& evidence) {
    return PlanCheck(evidence).run();
}

} // namespace interlock::cli
