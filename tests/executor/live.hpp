// A real incident for a real executor process: a session idle in transaction with a queue behind
// it, the plan of the library's own runbook, approved with a real key.
#pragma once

#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "base/state_directory.hpp"
#include "runbooks/fingerprint.hpp"
#include "runbooks/planner.hpp"
#include "tests/executor/scene.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/lab/shared_store.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace interlock::test {

/// The state directory, queue and approver of one incident. The plan is what the runbook makes:
/// the executor would not run another.
class Incident {
public:
    /// `shared`: the queue is in PostgreSQL.
    explicit Incident(bool shared = false)
        : shared_(shared ? std::make_unique<lab::SharedStore>() : nullptr) {
        lab::apply_lane(database_);
        database_.sql("create table app (id int primary key, n int);"
                      "insert into app values (1, 0);"
                      "do $$ begin create role lab_app login; exception when duplicate_object then "
                      "end $$;"
                      "grant select, update on app to lab_app");
        must(queue_.create_tables());
        blocker_ = std::make_unique<lab::Session>(database_.conninfo("lab_app"), "blocker");
        waiter_ = std::make_unique<lab::Session>(database_.conninfo("lab_app"), "waiter");
        blocker_->run("begin; update app set n = n + 1 where id = 1");
        waiter_->start("update app set n = n + 10 where id = 1");
        if (!lab::wait_until([&] { return database_.scalar(waiting_sql) == "1"; })) {
            throw std::runtime_error("the waiter does not wait");
        }
    }

    std::string approved_plan() {
        const auto id = must(submit()).id;
        approver_.approve(queue_, random_, id);
        return id;
    }
    base::Result<approval::SubmitResult> submit() {
        const auto& contract = runbooks::library().at("release-blocking-session");
        runbooks::Proposal proposal;
        proposal.cause = "lock.idle_in_tx";
        proposal.parameters = "{\"pid\":" + std::to_string(blocker_->pid()) +
                              ",\"backend_start\":\"" + blocker_->backend_start() +
                              "\",\"xact_start\":\"" + xact_start() + "\"}";
        auto plan = must(runbooks::make_plan(contract, proposal, fingerprint()));
        approval::Submission submission;
        submission.plan = must(runbooks::admit(std::move(plan), contract));
        submission.requester = {"loopback:agent", "loopback", "none", "test/1", "", {}};
        return queue_.submit(submission);
    }

    /// The command line of an executor on this queue.
    base::Command executor(const std::string& program, const std::string& crash_at = "") const {
        base::Command command;
        command.arguments = {
            program,
            "--state=" + state_.path(),
            "--target=lab=" + database_.conninfo("interlock_exec"),
            "--allowed-signers=" + approver_.keys().allowed_signers,
            "--lease-seconds=2"};
        if (!crash_at.empty()) {
            command.environment = {{"INTERLOCK_CRASH_AT", crash_at}};
        }
        command.stdout_path = "/dev/null";
        command.stderr_path = state_.file("executor.log");
        return command;
    }

    approval::StoredPlan plan(const std::string& id) { return must(queue_.get(id)); }
    std::string state(const std::string& id) { return approval::name(plan(id).state); }
    bool ended(const std::string& id) { return approval::is_terminal(plan(id).state); }
    std::string ledger_rows() const {
        return database_.scalar("select count(*) from interlock_exec.ledger");
    }
    lab::Session& blocker() { return *blocker_; }
    /// By the server's word: the client's end of a session learns of its end later.
    bool blocker_alive() const {
        return database_.scalar(
                   "select count(*) from pg_stat_activity where application_name = 'blocker' "
                   "and datname = current_database()"
               ) == "1";
    }
    /// How many sessions this server has ended on request, ever.
    std::size_t terminations() const {
        const auto text =
            must(base::read_file(database_.cluster().log_path(), std::size_t{256} << 20));
        constexpr std::string_view line = "terminating connection due to administrator command";
        std::size_t count = 0;
        for (auto at = text.find(line); at != std::string::npos; at = text.find(line, at + 1)) {
            ++count;
        }
        return count;
    }
    /// The session behind the blocker was never touched: it got its lock, or still waits for it.
    bool waiter_alive() { return waiter_->alive(); }
    /// Executors of this incident that came up so far.
    int started() const {
        int count = 0;
        const auto text = log();
        constexpr std::string_view event = "\"executor.started\"";
        for (auto at = text.find(event); at != std::string::npos; at = text.find(event, at + 1)) {
            ++count;
        }
        return count;
    }
    std::string log() const {
        return must(base::read_file(state_.file("executor.log"), std::size_t{8} << 20));
    }
    bool audit_holds() { return must(telemetry::verify_audit(*store_, {})).problems.empty(); }
    const lab::Database& database() const { return database_; }
    const std::string& state_directory() const { return state_.path(); }
    approval::Queue& queue() { return queue_; }

    runbooks::TargetFingerprint fingerprint() const {
        return must(runbooks::fingerprint_from(
            database_.sql(std::string(runbooks::fingerprint_sql.text)), "lab"
        ));
    }

private:
    static constexpr const char* waiting_sql =
        "select count(*) from pg_stat_activity where datname = current_database() "
        "and application_name = 'waiter' and wait_event_type = 'Lock'";

    std::string xact_start() const {
        return database_.scalar(
            "select to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') "
            "from pg_stat_activity where pid = " +
            std::to_string(blocker_->pid())
        );
    }

    std::unique_ptr<db::Store> open_store() {
        const base::StateDirectory state{state_.path()};
        if (shared_) {
            must(base::write_file_atomically(
                state.store(), "conninfo: \"" + shared_->database.conninfo() + "\"\n"
            ));
        }
        return must(db::open_store(state, db::StoreMode::create, clock_));
    }

    TemporaryDirectory state_;
    base::SystemClock clock_;
    base::SystemRandom random_;
    std::unique_ptr<lab::SharedStore> shared_;
    std::unique_ptr<db::Store> store_ = open_store();
    approval::Queue queue_{*store_, random_};
    Approver approver_{state_.path()};
    lab::Database database_;
    std::unique_ptr<lab::Session> blocker_;
    std::unique_ptr<lab::Session> waiter_;
};

} // namespace interlock::test
