#include "approval/recorded_history.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

namespace interlock::approval {

namespace {

constexpr std::string_view plan_prefix = "plan.";

/// Lets the log be read within a transaction that is under way.
class WithinTransaction : public db::Store {
public:
    explicit WithinTransaction(db::StoreTransaction& transaction) : transaction_(transaction) {}
    base::Status transact(const std::function<base::Status(db::StoreTransaction&)>&) override {
        return base::Error{
            base::Errc::internal,
            "A transaction was begun within another.",
            "Report this as a defect."};
    }
    base::Status read(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return body(transaction_);
    }
    std::string describe() const override { return "a transaction under way"; }

private:
    db::StoreTransaction& transaction_;
};

base::Error corrupt(std::string what) {
    return base::Error{
        base::Errc::corrupt,
        std::move(what),
        "Do not run it. Verify the audit log and find out who changed the queue."};
}

/// The state that a leaf of this type led to: its name in lower case. Others change no state.
std::optional<PlanState> state_of(std::string_view type) {
    for (const PlanState state : all_states())
        if (type.substr(plan_prefix.size()) == base::lower_ascii(name(state)))
            return state;
    return std::nullopt;
}

/// Follows the leaves of one plan in their order.
class Reading {
public:
    explicit Reading(const std::string& digest) : digest_(digest) {}

    base::Status leaf(const telemetry::AuditRecord& record) {
        const auto header = base::parse_json(record.header);
        const auto type = header.ok() ? base::string_member(*header, "type") : std::nullopt;
        const auto actor = header.ok() ? base::string_member(*header, "actor") : std::nullopt;
        if (!type || !actor || base::string_member(*header, "plan_digest") != digest_)
            return wrong("leaf " + std::to_string(record.index) + " is not a leaf of this plan");
        if (*type == "plan.submitted")
            return begin(PlanState::pending, *actor);
        if (*type == "plan.blocked")
            return begin(PlanState::blocked, *actor);
        if (!type->starts_with(plan_prefix))
            return base::done; // about the plan, not of its life
        if (!state_)
            return wrong("it begins with " + base::sanitize(*type));
        if (*type == "plan.joined") {
            if (state_ == PlanState::pending)
                history_.requesters.push_back(*actor);
            return base::done;
        }
        const auto next = state_of(*type);
        return next ? moved(*next) : base::Status(base::done);
    }

    base::Result<RecordedHistory> take() {
        if (!state_)
            return wrong("it does not know the plan");
        history_.state = *state_;
        return std::move(history_);
    }

private:
    base::Error wrong(const std::string& problem) const {
        return corrupt(
            "The audit log does not tell the life of the plan with the digest " + digest_ + ": " +
            problem + "."
        );
    }
    base::Status begin(PlanState state, const std::string& requester) {
        if (state_)
            return wrong("it was submitted twice");
        state_ = state;
        history_.requesters.push_back(requester);
        return base::done;
    }
    base::Status moved(PlanState next) {
        // Arrows that lead only forward: what waits or has ended never comes back to be approved.
        const bool ended = is_terminal(*state_) && next != PlanState::closed;
        const bool approved_late = next == PlanState::approved && state_ != PlanState::pending;
        const bool claimed_late = next == PlanState::claimed && state_ != PlanState::approved;
        if (ended || approved_late || claimed_late)
            return wrong(std::string(name(next)) + " follows " + name(*state_));
        state_ = next;
        return base::done;
    }

    const std::string& digest_;
    std::optional<PlanState> state_;
    RecordedHistory history_;
};

} // namespace

base::Result<RecordedHistory> recorded_history(db::Store& store, const std::string& plan_digest) {
    Reading reading(plan_digest);
    std::uint64_t first = 0;
    for (std::size_t seen = 0; seen < history_leaves_max;) {
        INTERLOCK_TRY(
            const auto records,
            telemetry::read_audit(store, first, base::limits::audit_read_max, plan_digest)
        );
        for (const auto& record : records)
            INTERLOCK_CHECK(reading.leaf(record));
        if (records.size() < base::limits::audit_read_max)
            return reading.take();
        seen += records.size();
        first = records.back().index + 1;
    }
    return base::Error{
        base::Errc::limit_exceeded,
        "The audit log has more than " + std::to_string(history_leaves_max) +
            " leaves about one plan.",
        "Propose the plan again, and find out who asks for it so often."};
}

base::Result<RecordedHistory>
recorded_history(db::StoreTransaction& transaction, const std::string& plan_digest) {
    WithinTransaction store(transaction);
    return recorded_history(store, plan_digest);
}

base::Status agrees_with_log(const StoredPlan& stored, const RecordedHistory& history) {
    if (stored.state != history.state)
        return corrupt(
            "The queue says that plan " + stored.id + " is " + name(stored.state) +
            ", and the last change in the audit log made it " + name(history.state) + "."
        );
    for (const auto& requester : history.requesters)
        if (std::find(stored.requesters.begin(), stored.requesters.end(), requester) ==
            stored.requesters.end())
            return base::Error{
                base::Errc::changed,
                "The audit log says that " + base::sanitize(requester) + " requested plan " +
                    stored.id + ", and the queue no longer does.",
                "Do not run it. Verify the audit log and find out who changed the queue."};
    return base::done;
}

} // namespace interlock::approval
