#include "tools/diagnosis/locks.hpp"

#include "tools/diagnosis/lock_shape.hpp"
#include "tools/render.hpp"

#include <algorithm>
#include <set>

namespace interlock::tools {
namespace {

// A chain this old is an incident: shorter ones mostly end by themselves.
constexpr double incident_seconds = 10;
// Under this a wait is the ordinary life of a busy database.
constexpr double momentary_seconds = 1;
// Ending an idle transaction sooner than this is rarely worth the work it throws away.
constexpr double patience_seconds = 120;
// A prepared transaction lives between two messages of a coordinator, not minutes.
constexpr double prepared_orphan_seconds = 300;
// An idle state younger than this, after a new statement, is a pause between two statements.
constexpr double pause_seconds = 1;
constexpr std::size_t objects_max = 10;
constexpr const char* runbook_id = "release-blocking-session";

std::string number(std::size_t count) {
    return std::to_string(count);
}

std::string sessions_text(std::size_t count) {
    return counted(static_cast<long long>(count), "session", "sessions");
}

bool is_client(const LockSession& session) {
    return session.backend_type == "client backend";
}

/// Why the runbook must not be aimed at a session; "" when it may.
std::string out_of_reach(const LockSession& session) {
    if (!session.visible) {
        return "No plan can be aimed at it: " + unseen_state_text(session) + ".";
    }
    if (session.superuser) {
        return "Its role is a superuser, whose sessions pg_signal_backend may not end.";
    }
    if (!is_client(session)) {
        return "It is a server process (not a client session), which no runbook of ours ends.";
    }
    if (session.xact_start.empty() || session.backend_start.empty()) {
        return "Its transaction cannot be named exactly, so no plan can be aimed at it.";
    }
    return {};
}

CauseObject backend_object(const LockSession& session) {
    Fields fields{{"pid", session.pid}};
    const auto add = [&](const char* key, const std::string& value) {
        if (!value.empty()) {
            fields.emplace_back(key, value);
        }
    };
    add("backend_start", session.backend_start);
    add("xact_start", session.xact_start);
    add("application_name", session.application_name);
    add("user", session.user);
    add("database", session.database);
    add("client", session.client);
    add("state", session.state);
    add("backend_type", session.backend_type);
    add("query", session.query);
    return {.kind = "backend", .name = std::to_string(session.pid), .fields = std::move(fields)};
}

RunbookSuggestion release(const LockSession& session, const char* signal) {
    return {
        .id = runbook_id,
        .parameters = {
            {"pid", session.pid},
            {"backend_start", session.backend_start},
            {"xact_start", session.xact_start},
            {"signal", std::string{signal}}}};
}

class LockJudge {
public:
    explicit LockJudge(const Facts& facts) : facts_{facts}, shape_{facts}, now_{shape_.now()} {}

    LockJudgement judge() {
        out_.not_examined = now_.gaps;
        if (facts_.second && !shape_.two_looks()) {
            const auto& gaps = facts_.second->gaps;
            out_.not_examined.insert(out_.not_examined.end(), gaps.begin(), gaps.end());
        }
        if (!now_.sees_all_sessions) {
            out_.not_examined.push_back(hidden_sessions_gap());
        }
        if (now_.untracked > 0) {
            out_.not_examined.push_back(untracked_sessions_gap(now_.untracked));
        }
        if (!now_.complete) {
            return conclude(LockState::unseen, "Lock waits could not be read.");
        }
        if (now_.waits.empty()) {
            return judge_quiet();
        }
        for (const StandingRoot& root : shape_.roots()) {
            judge_root(root);
        }
        for (const DdlQueue& queue : shape_.queues()) {
            judge_queue(queue);
        }
        unstable(shape_.longest_rotating_wait(), rotating_gap());
        unstable(shape_.longest_rootless_wait(), cycle_gap());
        return finish();
    }

private:
    // ---- what it means

    LockJudgement judge_quiet() {
        const std::string examined =
            counted(now_.clients, "client session", "client sessions") + " examined";
        if (shape_.two_looks()) {
            return conclude(
                LockState::quiet,
                examined + ": " + number(facts_.first.waits.size()) +
                    " waited for a lock for a moment, none any more."
            );
        }
        if (now_.clients == 0) {
            out_.not_examined.push_back(
                {"lock waits of client sessions",
                 "no client session is connected besides ours",
                 "whether sessions block each other; and nobody being connected may itself be the "
                 "trouble"}
            );
            return conclude(LockState::unseen, "No client session is connected besides ours.");
        }
        return conclude(LockState::quiet, examined + ": none waits for a lock.");
    }

    void judge_root(const StandingRoot& root) {
        if (root.victims.empty()) {
            return; // all of them stand in a DDL queue
        }
        if (root.node.pid == 0) {
            judge_prepared(root);
        } else if (root.session == nullptr) {
            unexplained(
                root.longest_wait,
                {"the head of a chain (backend " + std::to_string(root.node.pid) + ")",
                 "it was not among the sessions that were read",
                 "what it does"}
            );
        } else if (!root.session->visible) {
            unexplained(
                root.longest_wait,
                {"the state of backend " + std::to_string(root.node.pid) + ", the head of a chain",
                 root.session->untracked
                     ? "not_supported: track_activities is off for it"
                     : "permission_denied: the role is not a member of pg_read_all_stats "
                       "(pg_monitor)",
                 "whether it is idle in a transaction or at work"}
            );
        } else if (root.held <= momentary_seconds) {
            unstable(root.longest_wait, rotating_gap());
        } else if (is_idle_in_transaction(*root.session)) {
            judge_idle(root);
        } else if (root.session->state == "active" ||
                   root.session->state.starts_with("idle in transaction") ||
                   root.session->state == "fastpath function call" || !is_client(*root.session)) {
            judge_active(root);
        } else {
            unexplained(root.longest_wait, idle_holder_gap(*root.session));
        }
    }

    /// Idle, and not just pausing between two statements.
    bool is_idle_in_transaction(const LockSession& session) const {
        if (!session.state.starts_with("idle in transaction")) {
            return false;
        }
        const LockSession* then = shape_.session_before(session.pid);
        const bool worked_between = then != nullptr && then->query_start != session.query_start;
        return !(worked_between && session.state_seconds.value_or(0) < pause_seconds);
    }

    Cause new_cause(const char* id, double confidence, double held) {
        Cause cause;
        cause.id = id;
        cause.confidence = confidence;
        if (held <= incident_seconds) {
            cause.confidence -= 0.2;
            cause.against.push_back(
                "The longest wait behind it is " + seconds_text(held) + ", under the " +
                seconds_text(incident_seconds) + " at which a chain counts as an incident."
            );
            cause.next.push_back(
                {"diagnose", target_argument(), "whether the chain still stands when it is older"}
            );
        }
        if (!shape_.two_looks()) {
            cause.confidence -= 0.15;
            cause.against.emplace_back("It was seen in one look only.");
        }
        held_max_ = std::max(held_max_, held);
        return cause;
    }

    Fields target_argument() const { return {{"target", facts_.source.target}}; }

    void add_chain_facts(const StandingRoot& root, Cause& cause) const {
        std::size_t direct = 0;
        for (const long long pid : root.victims) {
            direct += shape_.waits_on(pid, root.node) ? 1 : 0;
        }
        cause.because.push_back(
            sessions_text(root.victims.size()) + (root.victims.size() == 1 ? " waits" : " wait") +
            " behind it (" + number(direct) + " directly, depth " + std::to_string(root.depth) +
            "); the longest wait is " + seconds_text(root.longest_wait) + "."
        );
        if (shape_.two_looks()) {
            cause.because.push_back(
                "It was at the head of the chain, in the same transaction, in two looks " +
                seconds_text(facts_.apart_seconds) + " apart, and waits for nobody itself."
            );
        }
        add_relations(root.victims, cause);
    }

    void add_relations(const std::set<long long>& pids, Cause& cause) const {
        std::set<std::string> names;
        for (const long long pid : pids) {
            const std::string& relation = shape_.wait(pid).relation;
            if (!relation.empty() && names.size() < objects_max && names.insert(relation).second) {
                cause.objects.push_back({.kind = "relation", .name = relation, .fields = {}});
            }
        }
    }

    void suggest(const LockSession& session, const char* signal, double held, Cause& cause) const {
        const std::string obstacle = out_of_reach(session);
        if (!obstacle.empty()) {
            cause.against.push_back("No runbook: " + obstacle);
        } else if (held > incident_seconds) {
            cause.runbooks.push_back(release(session, signal));
        }
    }

    void judge_idle(const StandingRoot& root) {
        const LockSession& session = *root.session;
        Cause cause = new_cause("lock.idle_in_tx", 0.95, root.held);
        cause.objects.push_back(backend_object(session));
        cause.because.push_back(
            "Backend " + std::to_string(session.pid) + " has been idle in a transaction for " +
            seconds_text(session.state_seconds.value_or(0)) + "; its transaction is " +
            seconds_text(session.xact_seconds.value_or(0)) + " old."
        );
        add_chain_facts(root, cause);
        if (root.held > incident_seconds && root.held <= patience_seconds) {
            cause.against.push_back(
                "It has been in the way for " + seconds_text(root.held) + ", under the " +
                seconds_text(patience_seconds) +
                " after which ending an idle transaction is usually worth the work it loses."
            );
        }
        if (waits_for_advisory(root)) {
            cause.confidence -= 0.1;
            cause.against.emplace_back(
                "The wait is for an advisory lock, which may outlive the transaction."
            );
        }
        suggest(session, "terminate", root.held, cause);
        cause.next.push_back(
            {"get_activity",
             target_argument(),
             "whether the same application leaves more transactions open"}
        );
        add_cause(std::move(cause), root.held);
    }

    bool waits_for_advisory(const StandingRoot& root) const {
        return std::any_of(root.victims.begin(), root.victims.end(), [&](long long pid) {
            return shape_.waits_on(pid, root.node) && shape_.wait(pid).lock_type == "advisory";
        });
    }

    void judge_active(const StandingRoot& root) {
        const LockSession& session = *root.session;
        Cause cause = new_cause("lock.active_blocker", 0.9, root.held);
        cause.objects.push_back(backend_object(session));
        const double statement = session.query_seconds.value_or(0);
        const double transaction = session.xact_seconds.value_or(0);
        cause.because.push_back(
            "Backend " + std::to_string(session.pid) + " is at work; its statement began " +
            seconds_text(statement) + " ago, its transaction " + seconds_text(transaction) + " ago."
        );
        if (transaction > statement + pause_seconds) {
            cause.because.emplace_back(
                "The transaction is older than the statement: it holds locks of earlier "
                "statements."
            );
        }
        if (session.state.starts_with("idle in transaction")) {
            cause.confidence -= 0.2;
            cause.against.emplace_back(
                "It paused between two statements at the second look: cancelling finds nothing "
                "to cancel during a pause."
            );
        }
        add_chain_facts(root, cause);
        if (session.backend_type == "autovacuum worker") {
            cause.against.emplace_back(
                "An autovacuum worker yields by itself to a waiting lock, unless it works to "
                "prevent wraparound; then it must not be stopped."
            );
        }
        suggest(session, "cancel", root.held, cause);
        cause.next.push_back(
            {"get_activity",
             target_argument(),
             "how long its statement has run and what it waits for: what it has done is lost if "
             "it is cancelled"}
        );
        add_cause(std::move(cause), root.held);
    }

    void judge_prepared(const StandingRoot& root) {
        const std::string& gid = root.node.gid;
        if (gid.empty()) {
            unexplained(
                root.longest_wait,
                {"which prepared transaction is at the head of a chain",
                 "its lock was not among those that were read",
                 "its gid, owner and age"}
            );
            return;
        }
        if (root.longest_wait <= momentary_seconds) {
            unstable(root.longest_wait, rotating_gap());
            return;
        }
        Cause cause = new_cause("lock.prepared_xact", 0.95, root.longest_wait);
        cause.objects.push_back(prepared_object(gid, cause));
        cause.because.emplace_back(
            "The head of the chain has no session: its locks belong to a prepared transaction."
        );
        add_chain_facts(root, cause);
        cause.against.emplace_back(
            "No runbook: whether it is to be committed or rolled back is its owner's choice, and "
            "either is final."
        );
        cause.next.push_back(
            {"get_blocking",
             target_argument(),
             "its gid, owner and age, to ask the owner of the distributed transaction"}
        );
        add_cause(std::move(cause), root.longest_wait);
    }

    CauseObject prepared_object(const std::string& gid, Cause& cause) const {
        CauseObject object{.kind = "prepared_transaction", .name = gid, .fields = {{"gid", gid}}};
        const auto known = std::find_if(
            now_.prepared.begin(),
            now_.prepared.end(),
            [&](const PreparedTransaction& one) { return one.gid == gid; }
        );
        if (known == now_.prepared.end()) {
            return object;
        }
        object.fields.emplace_back("owner", known->owner);
        object.fields.emplace_back("database", known->database);
        object.fields.emplace_back("prepared", known->prepared);
        cause.because.push_back(
            "It was prepared " + seconds_text(known->age_seconds) + " ago" +
            (known->age_seconds > prepared_orphan_seconds
                 ? ", longer than a coordinator takes: it looks orphaned."
                 : ".")
        );
        return object;
    }

    void judge_queue(const DdlQueue& queue) {
        if (queue.held <= momentary_seconds) {
            return;
        }
        Cause cause = new_cause("lock.ddl_queue", 0.95, queue.held);
        std::vector<const LockWait*> requests;
        for (const long long pid : queue.requests) {
            requests.push_back(&shape_.wait(pid));
        }
        std::sort(requests.begin(), requests.end(), [](const LockWait* a, const LockWait* b) {
            return a->wait_seconds.value_or(0) > b->wait_seconds.value_or(0);
        });
        add_front(queue, cause);
        for (const LockWait* request : requests) {
            cause.because.push_back(
                "Backend " + std::to_string(request->waiter) + " has waited " +
                seconds_text(request->wait_seconds.value_or(0)) + " for " + request->mode +
                " on a table."
            );
        }
        cause.because.push_back(
            sessions_text(queue.victims.size()) +
            (queue.victims.size() == 1 ? " queues" : " queue") +
            " behind that request, not behind the session in front of it; the longest wait is " +
            seconds_text(queue.longest_wait) + "."
        );
        for (const LockWait* request : requests) {
            if (const LockSession* session = shape_.session(request->waiter)) {
                if (cause.objects.size() < objects_max) {
                    cause.objects.push_back(backend_object(*session));
                }
                suggest(*session, "cancel", queue.held, cause);
            }
        }
        add_relations(queue.requests, cause);
        cause.next.push_back(
            {"get_blocking",
             target_argument(),
             "after the request is cancelled: that the queue is gone, and whether the session in "
             "front is still there before it is tried again with lock_timeout"}
        );
        add_cause(std::move(cause), queue.held);
    }

    void add_front(const DdlQueue& queue, Cause& cause) const {
        for (const LockNode& node : queue.fronts) {
            const LockSession* front = shape_.session(node.pid);
            if (node.pid == 0) {
                cause.objects.push_back(
                    {.kind = "prepared_transaction",
                     .name = node.gid,
                     .fields = {{"gid", node.gid}}}
                );
                cause.because.emplace_back("A prepared transaction is in front of the request.");
            } else if (front != nullptr) {
                cause.objects.push_back(backend_object(*front));
                cause.because.push_back(
                    "Backend " + std::to_string(node.pid) + " is in front of the request" +
                    (front->visible ? ", state " + state_text(*front) + ", its transaction " +
                                          seconds_text(front->xact_seconds.value_or(0)) + " old."
                                    : "; " + unseen_state_text(*front) + ".")
                );
            }
        }
    }

    /// A state as one of PostgreSQL's words: nothing a user of the database could choose.
    static std::string state_text(const LockSession& session) {
        return session.state.empty() ? "unknown" : session.state;
    }

    // ---- what cannot be told

    static NotExamined rotating_gap() {
        return {
            "lock.hot_row behind waits whose head changes",
            "the head of the chain changed between the looks, or is younger than the waits; this "
            "build does not examine contention on single rows",
            "whether many short transactions take turns on the same row"};
    }

    static NotExamined cycle_gap() {
        return {
            "lock.deadlock_storm behind waits without a head",
            "the sessions wait for each other or the head ended meanwhile; this build does not "
            "examine deadlocks",
            "whether deadlocks repeat"};
    }

    static NotExamined idle_holder_gap(const LockSession& session) {
        return {
            "lock.advisory_leak at backend " + std::to_string(session.pid),
            "the head of the chain is outside any transaction (state " + state_text(session) +
                "), so it holds a session-level lock; this build does not examine those",
            "whether a session lock was leaked, and by which application"};
    }

    /// Somebody stands at the head, and what it is cannot be told.
    void unexplained(double wait, NotExamined gap) {
        if (wait > momentary_seconds) {
            unexplained_max_ = std::max(unexplained_max_, wait);
            tell(std::move(gap));
        }
    }

    /// Nobody stands at the head for long: a matter for an incident only when the waits are old.
    void unstable(double wait, NotExamined gap) {
        if (wait > momentary_seconds) {
            unstable_max_ = std::max(unstable_max_, wait);
            tell(std::move(gap));
        }
    }

    void tell(NotExamined gap) {
        const bool told = std::any_of(
            out_.not_examined.begin(),
            out_.not_examined.end(),
            [&](const NotExamined& other) { return other.what == gap.what; }
        );
        if (!told) {
            out_.not_examined.push_back(std::move(gap));
        }
    }

    // ---- the answer

    void add_cause(Cause cause, double held) { ranked_.emplace_back(held, std::move(cause)); }

    LockJudgement conclude(LockState state, std::string summary) {
        out_.state = state;
        out_.summary = std::move(summary);
        return std::move(out_);
    }

    LockJudgement finish() {
        std::stable_sort(ranked_.begin(), ranked_.end(), [](const auto& a, const auto& b) {
            return a.first > b.first;
        });
        for (auto& [held, cause] : ranked_) {
            cause.confidence = std::clamp(cause.confidence, 0.05, 1.0);
            out_.causes.push_back(std::move(cause));
        }
        const std::string waiting =
            sessions_text(now_.waits.size()) + (now_.waits.size() == 1 ? " waits" : " wait");
        if (!out_.causes.empty()) {
            const bool old = held_max_ > incident_seconds;
            return conclude(
                old ? LockState::incident : LockState::degraded,
                waiting + " for locks; " + out_.causes.front().id + " stands at the head, " +
                    (old ? "past the " : "not yet past the ") + seconds_text(incident_seconds) +
                    " of an incident."
            );
        }
        if (unexplained_max_ > 0 || unstable_max_ > incident_seconds) {
            return conclude(
                LockState::unexplained,
                waiting + " for locks, the longest for " +
                    seconds_text(std::max(unexplained_max_, unstable_max_)) +
                    ", but what is at the head is not one of the causes this build can tell; see "
                    "not examined."
            );
        }
        if (unstable_max_ > 0) {
            return conclude(
                LockState::degraded,
                waiting + " for locks, the longest for " + seconds_text(unstable_max_) +
                    ", and no one session stands at the head."
            );
        }
        return conclude(
            LockState::quiet,
            waiting + " for locks, none longer than " + seconds_text(momentary_seconds) +
                ": ordinary for a busy database."
        );
    }

    const Facts& facts_;
    const LockShape shape_;
    const LockFacts& now_;
    std::vector<std::pair<double, Cause>> ranked_;
    double held_max_ = 0;
    double unexplained_max_ = 0;
    double unstable_max_ = 0;
    LockJudgement out_;
};

} // namespace

LockJudgement judge_locks(const Facts& facts) {
    return LockJudge{facts}.judge();
}

} // namespace interlock::tools
