#include "cli/demo/demo.hpp"

#include "approval/queue.hpp"
#include "approval/state.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/signals.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "cli/audit.hpp"
#include "cli/audit_export.hpp"
#include "cli/demo/agent.hpp"
#include "cli/demo/cluster.hpp"
#include "cli/demo/incident.hpp"
#include "cli/demo/programs.hpp"
#include "cli/demo/throughput.hpp"
#include "cli/plans.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <unistd.h>

namespace interlock::cli {

using approval::PlanState;
using base::Errc;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr std::size_t samples_before = 5; // seconds of calm shown before the incident
constexpr std::size_t samples_after = 4;  // seconds of calm demanded after the recovery
constexpr std::chrono::seconds diagnosis_deadline{40};
constexpr std::chrono::seconds execution_deadline{90};
constexpr std::chrono::milliseconds tick{250};
constexpr std::size_t chart_width = 60;
constexpr double recovered_share = 0.5; // of the baseline: far above zero, far from noise

bool at_terminal() {
    return ::isatty(STDOUT_FILENO) == 1;
}

/// Everything the demo made. Members end in reverse order: programs before the database.
struct Stage {
    std::string directory;
    std::unique_ptr<Cluster> cluster;
    std::unique_ptr<Workload> workload;
    std::unique_ptr<Blocker> blocker;
    std::unique_ptr<Programs> programs;
    DemoApprover approver;
    std::size_t incident_at = 0; // sample numbers
    std::size_t recovered_at = 0;

    Stage() = default;
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    ~Stage() {
        programs.reset();
        blocker.reset();
        workload.reset();
        cluster.reset();
        if (!directory.empty()) {
            (void)base::remove_recursively(directory);
        }
    }
};

Error interrupted() {
    return Error{Errc::cancelled, "The demo was interrupted; everything it started was ended.", ""};
}

/// Redraws one line at a terminal; silent elsewhere, where a log would fill with it.
void draw_live(Stage& stage, std::string_view doing) {
    if (!at_terminal()) {
        return;
    }
    const auto& samples = stage.workload->throughput().samples();
    const double now = samples.empty() ? 0 : samples.back();
    char rate[32];
    std::snprintf(rate, sizeof rate, "%7.0f tps  ", now);
    print("\r\x1b[K   " + sparkline(samples, chart_width) + rate + std::string(doing));
}

void end_live() {
    if (at_terminal()) {
        print("\r\x1b[K");
    }
}

std::string rate_text(std::optional<double> rate) {
    if (!rate) {
        return "not measured";
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.0f transactions/s", *rate);
    return text;
}

/// Waits, drawing, until `happened` or the deadline; false past it.
template <class Condition>
Result<bool> wait_until(
    Stage& stage, std::string_view doing, std::chrono::seconds deadline, Condition happened
) {
    base::SystemClock clock;
    const auto until = clock.ticks() + deadline;
    while (!happened()) {
        if (base::stop_requested()) {
            end_live();
            return interrupted();
        }
        if (clock.ticks() > until) {
            end_live();
            return false;
        }
        draw_live(stage, doing);
        base::wait_for_stop(tick);
    }
    end_live();
    return true;
}

Status set_the_stage(Stage& stage) {
    print_line(coloured(Colour::bold, "1  A throw-away PostgreSQL, a shop, and the four programs"));
    INTERLOCK_TRY(stage.directory, base::make_temporary_directory("interlock-demo"));
    INTERLOCK_TRY(stage.cluster, Cluster::start({}));
    INTERLOCK_CHECK(prepare_shop(*stage.cluster));
    INTERLOCK_TRY(stage.approver, make_demo_approver(stage.directory));
    INTERLOCK_TRY(stage.programs, Programs::start(*stage.cluster, stage.directory, stage.approver));
    INTERLOCK_TRY(stage.workload, Workload::start(*stage.cluster, stage.directory));
    print_line("   MCP   " + stage.programs->mcp_url());
    print_line("   desk  " + stage.programs->desk_url());
    return base::done;
}

Status show_calm_then_break(Stage& stage) {
    print_line(coloured(Colour::bold, "2  The workload runs"));
    Throughput& throughput = stage.workload->throughput();
    INTERLOCK_TRY(const bool calm, wait_until(stage, "before", std::chrono::seconds{30}, [&] {
                      return throughput.samples().size() > samples_before;
                  }));
    if (!calm) {
        return Error{Errc::timeout, "The workload never started.", ""};
    }
    print_line(
        "   before the incident: " +
        rate_text(mean(throughput.samples(), 1, throughput.samples().size()))
    );
    print_line(
        coloured(Colour::bold, "3  A session takes row locks and sits idle in its transaction")
    );
    INTERLOCK_TRY(stage.blocker, Blocker::start(*stage.cluster));
    stage.incident_at = throughput.samples().size() + 1;
    INTERLOCK_TRY(const bool stalled, wait_until(stage, "incident", std::chrono::seconds{15}, [&] {
                      const auto& samples = throughput.samples();
                      return samples.size() > stage.incident_at && samples.back() < 1;
                  }));
    if (!stalled) {
        return Error{Errc::timeout, "The workload did not stall behind the blocker.", ""};
    }
    print_line("   during the incident: " + rate_text(throughput.samples().back()));
    return base::done;
}

Result<DiagnosedCause> diagnose(Stage& stage, Agent& agent) {
    print_line(coloured(Colour::bold, "4  The agent calls diagnose over MCP"));
    Result<Diagnosis> last = Diagnosis{};
    std::optional<DiagnosedCause> found;
    base::SystemClock clock;
    base::Ticks next{};
    INTERLOCK_TRY(const bool diagnosed, wait_until(stage, "diagnosing", diagnosis_deadline, [&] {
                      if (clock.ticks() < next) {
                          return false;
                      }
                      next = clock.ticks() +
                             std::chrono::seconds{2}; // an agent that looks again, not a hammer
                      last = agent.diagnose(demo_database);
                      if (!last || last->verdict != "incident") {
                          return false;
                      }
                      const auto with_runbook = std::find_if(
                          last->causes.begin(),
                          last->causes.end(),
                          [](const auto& cause) { return !cause.runbook.empty(); }
                      );
                      if (with_runbook != last->causes.end()) {
                          found = *with_runbook;
                      }
                      return found.has_value();
                  }));
    if (!diagnosed) {
        const std::string verdict = last ? last->verdict : last.error().what;
        return Error{Errc::timeout, "diagnose named no cause with a runbook: " + verdict + ".", ""};
    }
    print_line(
        "   cause " + found->id + ", confidence " + std::to_string(found->confidence).substr(0, 4)
    );
    for (const std::string& because : found->because) {
        print_line("     because " + because);
    }
    return *found;
}

PlansOptions plans_options(const Stage& stage, const ProposedPlan& plan) {
    PlansOptions options;
    options.state_directory = stage.programs->state_directory();
    options.plan_id = plan.plan_id;
    options.digest = plan.digest;
    options.key = stage.approver.key;
    options.principal = stage.approver.principal;
    options.allowed_signers = stage.approver.allowed_signers;
    options.yes = true; // the demo asks by itself, below
    return options;
}

/// True when the person (or --yes) approves. No answer at all is not a refusal.
Result<bool> person_approves(const DemoOptions& options) {
    if (options.yes) {
        print_line("   --yes: the demo approver's key signs without asking anybody.");
        return true;
    }
    print(
        "   You are the on-call engineer. Type " + coloured(Colour::bold, "approve") +
        " to sign with the demo key: "
    );
    char line[64] = {};
    if (std::fgets(line, sizeof line, stdin) == nullptr) {
        return Error{
            Errc::invalid_arguments,
            "Nobody answered: the plan waits for a person.",
            "Run the demo in a terminal, or pass --yes."};
    }
    return base::trim(line) == "approve";
}

Result<bool>
propose_and_decide(Stage& stage, Agent& agent, const DemoOptions& options, ProposedPlan& plan) {
    INTERLOCK_TRY(const DiagnosedCause cause, diagnose(stage, agent));
    print_line(
        coloured(Colour::bold, "5  The agent proposes a plan from the runbook " + cause.runbook)
    );
    INTERLOCK_TRY(plan, agent.propose(demo_database, cause));
    PlansOptions decision = plans_options(stage, plan);
    if (show_plan(decision) != Exit::ok) {
        return Error{Errc::internal, "The plan cannot be shown.", ""};
    }
    print_line(coloured(Colour::bold, "6  A person decides"));
    INTERLOCK_TRY(const bool approves, person_approves(options));
    if (!approves) {
        decision.reason = "refused at the terminal";
        (void)reject_plan(decision);
        return false;
    }
    if (approve_plan(decision) != Exit::ok) {
        return Error{Errc::refused, "The approval was not recorded.", ""};
    }
    return true;
}

Status execute(Stage& stage, const ProposedPlan& plan) {
    print_line(coloured(Colour::bold, "7  The executor verifies, acts, and watches for recovery"));
    base::SystemClock clock;
    base::SystemRandom random;
    const std::string path = base::StateDirectory{stage.programs->state_directory()}.queue();
    INTERLOCK_TRY(const auto store, db::open_sqlite_store(path, db::StoreMode::read_only, clock));
    approval::Queue queue(*store, random);
    PlanState state = PlanState::approved;
    std::string reason;
    INTERLOCK_TRY(const bool ended, wait_until(stage, "executing", execution_deadline, [&] {
                      if (auto stored = queue.get(plan.plan_id); stored.ok()) {
                          if (stored->state != state) {
                              end_live();
                              print_line("   " + std::string(approval::name(stored->state)));
                          }
                          if (state == PlanState::approved && stage.recovered_at == 0 &&
                              stored->state != state) {
                              stage.recovered_at =
                                  stage.workload->throughput().samples().size() + 1;
                          }
                          state = stored->state;
                          reason = stored->state_reason;
                      }
                      return approval::is_terminal(state) || state == PlanState::needs_human ||
                             state == PlanState::hold;
                  }));
    if (!ended || (state != PlanState::succeeded && state != PlanState::closed)) {
        return Error{
            Errc::internal,
            "The plan ended as " + std::string(approval::name(state)) + ": " + reason,
            ""};
    }
    return base::done;
}

Status show_recovery(Stage& stage) {
    Throughput& throughput = stage.workload->throughput();
    const std::size_t enough = throughput.samples().size() + samples_after;
    INTERLOCK_TRY(const bool measured, wait_until(stage, "after", std::chrono::seconds{20}, [&] {
                      return throughput.samples().size() >= enough;
                  }));
    const auto& samples = throughput.samples();
    const auto before = mean(samples, 1, stage.incident_at - 1);
    // The seconds in which the incident began and ended are partly calm: they count for neither.
    const auto during = mean(samples, stage.incident_at + 1, stage.recovered_at - 1);
    const auto after = mean(samples, enough - samples_after, samples.size());
    print_line(coloured(Colour::bold, "8  Throughput, one character a second"));
    print_line("   " + sparkline(samples, samples.size()));
    print_line(
        "   before " + rate_text(before) + ", during " + rate_text(during) + ", after " +
        rate_text(after)
    );
    if (!measured || !before || !after || *after < recovered_share * *before) {
        return Error{Errc::internal, "The plan succeeded but the workload did not come back.", ""};
    }
    return base::done;
}

Status verify_audit(Stage& stage) {
    print_line(coloured(Colour::bold, "9  interlock audit verify"));
    AuditOptions options;
    options.state_directory = stage.programs->state_directory();
    print("   ");
    if (verify_audit_log(options) != Exit::ok) {
        return Error{Errc::corrupt, "The audit log does not verify.", ""};
    }
    return base::done;
}

/// What an auditor would do, with nothing of this demo but the bundle and two keys.
Status verify_bundle(Stage& stage, const ProposedPlan& plan, const DemoOptions& options) {
    print_line(coloured(Colour::bold, "10 interlock audit export, and verify, which needs no store")
    );
    ExportOptions exported;
    exported.state_directory = stage.programs->state_directory();
    exported.plan_id = plan.plan_id;
    exported.out = options.bundle.empty() ? stage.directory + "/change.tar" : options.bundle;
    print("   ");
    if (export_audit(exported) != Exit::ok) {
        return Error{Errc::internal, "The change cannot be exported.", ""};
    }
    const base::StateDirectory state{exported.state_directory};
    INTERLOCK_TRY(
        const std::string key,
        base::read_file(state.checkpoints() + "/executor.vkey", base::limits::yaml_bytes_max)
    );
    AuditOptions verified;
    verified.bundle = exported.out;
    verified.executor_keys = {std::string(base::trim(key))};
    verified.allowed_signers = stage.approver.allowed_signers;
    if (verify_audit_log(verified) != Exit::ok) {
        return Error{Errc::corrupt, "The bundle of the change does not verify.", ""};
    }
    return base::done;
}

void keep_running(Stage& stage) {
    print_line("");
    print_line("Everything keeps running until Ctrl-C. Connect an MCP client:");
    print_line("  claude mcp add --transport http interlock-demo " + stage.programs->mcp_url());
    print_line(
        "  or, over stdio: " + stage.programs->server_path() + " --stdio --state " +
        stage.programs->state_directory() + " --target '" + demo_database + "=" +
        stage.cluster->conninfo("interlock_diag", demo_database) + "'"
    );
    print_line(
        "The desk: " + stage.programs->desk_url() + " (token in " +
        stage.programs->desk_token_path() + ")"
    );
    print_line(
        "Approve with: interlock plans approve PLAN --state " + stage.programs->state_directory() +
        " --key " + stage.approver.key + " --as " + stage.approver.principal +
        " --allowed-signers " + stage.approver.allowed_signers
    );
    while (!base::stop_requested()) {
        base::wait_for_stop(std::chrono::seconds{1});
    }
}

/// Before anything is started: what would fail at the very end.
Status can_keep_bundle(const DemoOptions& options) {
    if (options.bundle.empty()) {
        return base::done;
    }
    if (std::filesystem::exists(options.bundle)) {
        return Error{
            Errc::invalid_arguments,
            "The file " + options.bundle + " is there already, and a bundle overwrites nothing.",
            "Give another --bundle, or move the file away."};
    }
    const auto directory = std::filesystem::absolute(options.bundle).parent_path();
    if (::access(directory.c_str(), W_OK) == 0) {
        return base::done;
    }
    return Error{
        Errc::invalid_arguments,
        "The bundle cannot be written to " + directory.string() + ": " +
            std::generic_category().message(errno) + ".",
        "Name a file in a directory that you can write."};
}

Status play(const DemoOptions& options) {
    INTERLOCK_CHECK(can_keep_bundle(options));
    Stage stage;
    INTERLOCK_CHECK(set_the_stage(stage));
    INTERLOCK_CHECK(show_calm_then_break(stage));
    Agent agent(stage.programs->mcp_url());
    ProposedPlan plan;
    INTERLOCK_TRY(const bool approved, propose_and_decide(stage, agent, options, plan));
    if (!approved) {
        print_line("Refused: nothing was run, and nothing will be.");
    } else {
        INTERLOCK_CHECK(execute(stage, plan));
        INTERLOCK_CHECK(show_recovery(stage));
    }
    INTERLOCK_CHECK(verify_audit(stage));
    if (approved) {
        INTERLOCK_CHECK(verify_bundle(stage, plan, options));
        print_line(coloured(Colour::green, "recovered"));
    }
    if (options.keep) {
        keep_running(stage);
    }
    return base::done;
}

} // namespace

Exit run_demo(const DemoOptions& options) {
    const Status played = play(options);
    return played ? Exit::ok : report(played.error(), false);
}

} // namespace interlock::cli
