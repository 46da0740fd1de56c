// interlock: what people do at a shell. Wiring of commands only; each lives in its own file.
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "cli/audit.hpp"
#include "cli/audit_erase.hpp"
#include "cli/audit_export.hpp"
#include "cli/audit_report.hpp"
#include "cli/audit_search.hpp"
#include "cli/demo/demo.hpp"
#include "cli/kill.hpp"
#include "cli/output.hpp"
#include "cli/plan_evidence.hpp"
#include "cli/plans.hpp"
#include "cli/sql.hpp"
#include "cli/targets.hpp"
#include "telemetry/redaction.hpp"

#include <functional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace {

using interlock::cli::Exit;
using Run = std::function<Exit()>;

void add_json(CLI::App& command, bool& json) {
    command.add_flag("--json", json, "Print one JSON document on stdout");
}

void add_state(CLI::App& command, std::string& state) {
    command.add_option("--state", state, "State directory that holds the queue")
        ->capture_default_str();
}

void add_decision_options(CLI::App& command, interlock::cli::PlansOptions& options) {
    command.add_option("PLAN", options.plan_id, "Plan id, as `interlock plans list` shows it")
        ->required();
    command
        .add_option(
            "--key", options.key, "Your SSH private key, or the public key of one in ssh-agent"
        )
        ->required()
        ->envname("INTERLOCK_KEY");
    command.add_option(
        "--as", options.principal, "Your name in the allowed signers file (default: your user)"
    );
    command
        .add_option(
            "--allowed-signers",
            options.allowed_signers,
            "Who may decide (ssh-keygen's ALLOWED SIGNERS)"
        )
        ->required()
        ->envname("INTERLOCK_ALLOWED_SIGNERS");
    command.add_option("--revoked-keys", options.revoked_keys, "Keys that no longer count")
        ->envname("INTERLOCK_REVOKED_KEYS");
    command.add_option("--people", options.people, "YAML file: which subjects are one person")
        ->envname("INTERLOCK_PEOPLE");
    command.add_option(
        "--reason", options.reason, "Why, in one sentence (required to reject or revoke)"
    );
    command.add_option(
        "--digest", options.digest, "The whole digest that you read; anything else is refused"
    );
    command.add_flag(
        "--yes", options.yes, "Do not ask at the terminal (approving then needs --digest)"
    );
}

void add_plans(CLI::App& app, interlock::cli::PlansOptions& options, Run& run) {
    CLI::App* plans = app.add_subcommand("plans", "Read plans and decide on them");
    plans->require_subcommand(1);
    const auto command = [&](const char* name,
                             const char* about,
                             Exit (*act)(const interlock::cli::PlansOptions&)) {
        CLI::App* added = plans->add_subcommand(name, about);
        add_state(*added, options.state_directory);
        add_json(*added, options.json);
        added->callback([&options, &run, act] { run = [&options, act] { return act(options); }; });
        return added;
    };
    CLI::App* list = command("list", "Plans that wait or run", interlock::cli::list_plans);
    list->add_option("--in", options.state, "Only plans in this state");
    list->add_flag("--all", options.all, "Also plans that ended");
    command(
        "show", "One plan: the exact script, then what the agent wrote", interlock::cli::show_plan
    )
        ->add_option("PLAN", options.plan_id, "Plan id")
        ->required();
    CLI::App* evidence = command(
        "evidence", "What the agent saw, as the plan cites it", interlock::cli::show_plan_evidence
    );
    evidence->add_option("PLAN", options.plan_id, "Plan id")->required();
    evidence->add_option("EVIDENCE", options.evidence_id, "One of the ids; none lists them");
    add_decision_options(
        *command(
            "approve", "Show a plan, ask, and sign your approval", interlock::cli::approve_plan
        ),
        options
    );
    add_decision_options(*command("reject", "Refuse a plan", interlock::cli::reject_plan), options);
    add_decision_options(
        *command(
            "revoke", "Take an approved plan back before it runs", interlock::cli::revoke_plan
        ),
        options
    );
}

struct AuditCommands {
    interlock::cli::AuditOptions log;
    interlock::cli::ExportOptions bundle;
    interlock::cli::SearchOptions search;
    interlock::cli::ReportOptions report;
    interlock::cli::EraseOptions erase;
};

void add_audit_log(CLI::App& audit, interlock::cli::AuditOptions& options, Run& run) {
    CLI::App* verify = audit.add_subcommand(
        "verify", "Recompute the log, or check a bundle, and hold it against signed checkpoints"
    );
    add_state(*verify, options.state_directory);
    add_json(*verify, options.json);
    verify->add_option("BUNDLE", options.bundle, "A bundle of `audit export`; needs no store");
    verify->add_option("--checkpoint", options.checkpoints, "A signed checkpoint kept elsewhere");
    verify->add_option(
        "--verifier-key",
        options.verifier_keys,
        "The key that checkpoint, or one of the store's own, must be signed with"
    );
    verify->add_option(
        "--executor-key",
        options.executor_keys,
        "A key that outcomes may be signed with; may be given several times"
    );
    verify->add_option(
        "--executor-keys", options.executor_keys_file, "A file of such keys, one a line"
    );
    verify->add_option(
        "--allowed-signers",
        options.allowed_signers,
        "Whose keys may approve (default: the lines recorded with each decision)"
    );
    verify->callback([&] { run = [&] { return interlock::cli::verify_audit_log(options); }; });
    CLI::App* show = audit.add_subcommand("show", "The records, oldest first");
    add_state(*show, options.state_directory);
    add_json(*show, options.json);
    show->add_option("--plan", options.plan_id, "Only records of this plan");
    show->callback([&] { run = [&] { return interlock::cli::show_audit_log(options); }; });
}

void add_audit_export(CLI::App& audit, interlock::cli::ExportOptions& options, Run& run) {
    CLI::App* command =
        audit.add_subcommand("export", "Write a bundle that can be checked without the store");
    add_state(*command, options.state_directory);
    add_json(*command, options.json);
    command->add_option("--plan", options.plan_id, "Everything of this plan");
    command->add_option(
        "--incident", options.incident, "Every call and plan that names this incident"
    );
    command->add_option("--from", options.from, "Everything from this time on (RFC 3339)");
    command->add_option("--to", options.to, "Everything before this time");
    command->add_option(
        "--since-checkpoint",
        options.since_checkpoint,
        "A checkpoint kept from before, which the bundle shall prove to be continued"
    );
    command->add_option("--since-key", options.since_key, "The verifier key of that checkpoint");
    command->add_option("--out", options.out, "The file to write; it must not exist")->required();
    command->callback([&] { run = [&] { return interlock::cli::export_audit(options); }; });
}

void add_audit_search(CLI::App& audit, interlock::cli::SearchOptions& options, Run& run) {
    CLI::App* command = audit.add_subcommand("search", "The records that match, page by page");
    add_state(*command, options.state_directory);
    add_json(*command, options.json);
    command->add_option("--actor", options.actor, "Who did it");
    command->add_option("--type", options.type, "The record's type, as tool.begin");
    command->add_option("--tool", options.tool, "The tool that was called");
    command->add_option("--target", options.target, "The target it was about");
    command->add_option(
        "--incident", options.incident, "Calls that name this incident, and plans shown as of it"
    );
    command->add_option("--plan", options.plan_id, "Plan id");
    command->add_option("--from", options.from, "Not before this time (RFC 3339)");
    command->add_option("--to", options.to, "Before this time");
    command->add_option("--text", options.text, "Text in the payload");
    command->add_option("--after", options.after, "Records after this index: the next page");
    command->add_option("--limit", options.limit, "Records of a page")->capture_default_str();
    command->callback([&] { run = [&] { return interlock::cli::search_audit(options); }; });
}

void add_audit_report(CLI::App& audit, interlock::cli::ReportOptions& options, Run& run) {
    CLI::App* command = audit.add_subcommand("report", "What an audit asks of a period, counted");
    add_state(*command, options.state_directory);
    add_json(*command, options.json);
    command->add_option("--from", options.from, "Not before this time (RFC 3339)");
    command->add_option("--to", options.to, "Before this time");
    command->callback([&] { run = [&] { return interlock::cli::report_audit(options); }; });
}

void add_audit_erase(CLI::App& audit, interlock::cli::EraseOptions& options, Run& run) {
    CLI::App* command =
        audit.add_subcommand("erase", "Erase payloads on the record; the records themselves stay");
    add_state(*command, options.state_directory);
    add_json(*command, options.json);
    command->add_option("--index", options.indexes, "One record, 17, or several, 17-40");
    command->add_option("--plan", options.plan_id, "The records of this plan, once it has ended");
    command->add_option("--actor", options.actor, "What this subject did, with --before");
    command->add_option("--before", options.before, "Only records before this time (RFC 3339)");
    command->add_option("--reason", options.reason, "Why; it stays in the log")->required();
    command->add_flag("--yes", options.yes, "Do it, instead of telling what would be erased");
    command->callback([&] { run = [&] { return interlock::cli::erase_audit_payloads(options); }; });
}

void add_audit(CLI::App& app, AuditCommands& options, Run& run) {
    CLI::App* audit = app.add_subcommand("audit", "The tamper-evident log");
    audit->require_subcommand(1);
    add_audit_log(*audit, options.log, run);
    add_audit_export(*audit, options.bundle, run);
    add_audit_search(*audit, options.search, run);
    add_audit_report(*audit, options.report, run);
    add_audit_erase(*audit, options.erase, run);
}

void add_kill(CLI::App& app, interlock::cli::KillOptions& options, Run& run) {
    CLI::App* kill = app.add_subcommand(
        "kill", "Stop a tool, an identity, a target or everything, on every server of the store"
    );
    kill->require_subcommand(1);
    const auto add_reason = [&](CLI::App& command) {
        command
            .add_option(
                "--reason", options.reason, "Why, in one sentence: people and agents read it"
            )
            ->required();
    };
    const auto add_issuer = [&](CLI::App& command) {
        command.add_option(
            "--issuer", options.issuer, "Only the subject of this token issuer (default: of any)"
        );
    };
    const auto command = [&](CLI::App& above, const char* name, const char* about) {
        CLI::App* added = above.add_subcommand(name, about);
        add_state(*added, options.state_directory);
        add_json(*added, options.json);
        return added;
    };
    const auto stop = [&](const char* kind, const char* about, const char* what) {
        CLI::App* added = command(*kill, kind, about);
        if (what != nullptr) {
            added->add_option("NAME", options.name, what)->required();
        }
        add_reason(*added);
        added->callback([&options, &run, kind] {
            options.kind = kind;
            run = [&options] { return interlock::cli::set_kill(options); };
        });
        return added;
    };
    stop("tool", "Switch a tool off: it leaves the list", "The tool, as tools/list names it");
    add_issuer(*stop(
        "identity",
        "Refuse every call of an identity",
        "The subject, as the audit log names it (os:alice)"
    ));
    stop("target", "Look at a target no more", "The target, as the configuration names it");
    stop("all", "Refuse every call", nullptr);
    CLI::App* list = command(*kill, "list", "What is stopped, by whom and why");
    list->callback([&] { run = [&] { return interlock::cli::list_kills(options); }; });
    CLI::App* lift = command(*kill, "lift", "Let a tool, an identity, a target or all go on");
    lift->add_option("KIND", options.kind, "tool, identity, target or all")
        ->required()
        ->check(CLI::IsMember({"tool", "identity", "target", "all"}));
    lift->add_option("NAME", options.name, "As it was stopped; none for all");
    add_reason(*lift);
    add_issuer(*lift);
    lift->callback([&] { run = [&] { return interlock::cli::lift_kill(options); }; });
}

void add_targets(
    CLI::App& app,
    interlock::cli::TargetsOptions& options,
    interlock::tools::InitOptions& init,
    Run& run
) {
    CLI::App* doctor =
        app.add_subcommand("doctor", "Prove that a target's credential is read-only");
    doctor->add_option("--target", options.targets, "NAME=CONNINFO; may be given several times");
    doctor->add_option(
        "--role", options.roles, "A role that callers are mapped to; may be given several times"
    );
    add_json(*doctor, options.json);
    doctor->callback([&] { run = [&] { return interlock::cli::run_doctor(options); }; });

    CLI::App* diagnose = app.add_subcommand("diagnose", "The diagnosis an agent would get");
    diagnose->add_option("--target", options.targets, "NAME=CONNINFO; may be given several times");
    add_state(*diagnose, options.state_directory);
    add_json(*diagnose, options.json);
    diagnose->callback([&] { run = [&] { return interlock::cli::run_diagnose(options); }; });

    CLI::App* sql =
        app.add_subcommand("init", "Print the SQL that makes the roles; run it yourself");
    sql->add_option("--database", init.database, "Database the roles are for")->required();
    sql->add_option("--diag-role", init.diag_role, "Role of interlock-server")
        ->capture_default_str();
    sql->add_option("--read-role", init.read_role, "Optional role with SELECT on approved views");
    sql->add_option("--executor-role", init.executor_role, "Role of interlock-executor")
        ->capture_default_str();
    sql->add_option("--connection-limit", init.connection_limit, "Connections the server may hold")
        ->capture_default_str()
        ->check(CLI::Range(2, 100));
    sql->callback([&] { run = [&] { return interlock::cli::print_init_sql(init); }; });
}

void add_sql(CLI::App& app, interlock::cli::SqlOptions& options, Run& run) {
    CLI::App* sql = app.add_subcommand("sql", "What run_query lets through");
    sql->require_subcommand(1);
    CLI::App* check = sql->add_subcommand("check", "The guard's verdict on SQL; needs no target");
    CLI::Option* text = check->add_option("SQL", options.sql, "One statement; 4 when it is denied");
    CLI::Option* lines = check->add_flag(
        "--jsonl",
        options.jsonl,
        "Read lines {\"sql\": ...} from stdin and write a verdict for each; 0 when all were read"
    );
    add_json(*check, options.json);
    text->excludes(lines);
    check->callback([&, text] {
        if (!options.jsonl && text->empty()) {
            throw CLI::RequiredError("SQL or --jsonl");
        }
        run = [&] { return interlock::cli::check_sql(options); };
    });
}

void add_demo(CLI::App& app, interlock::cli::DemoOptions& options, Run& run) {
    CLI::App* demo = app.add_subcommand("demo", "The whole loop on a throw-away PostgreSQL");
    demo->add_flag("--yes", options.yes, "Approve with the demo approver's key without asking");
    demo->add_flag(
        "--keep", options.keep, "Leave everything running and say how to connect a client"
    );
    demo->add_option("--bundle", options.bundle, "Leave the audit bundle of the change here");
    demo->callback([&] { run = [&] { return interlock::cli::run_demo(options); }; });
}

/// Who asked for JSON is told in JSON, even where the rest could not be read.
bool asks_for_json(int argc, char** argv) {
    for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
        if (std::string_view(argv[i]) == "--json") {
            return true;
        }
    }
    return false;
}

int end_unparsed(const CLI::App& app, const CLI::ParseError& error, bool json) {
    const bool asked = error.get_exit_code() == 0; // for help, or for the version
    if (asked || !json) {
        app.exit(error);
        return static_cast<int>(asked ? Exit::ok : Exit::usage);
    }
    const auto exit = interlock::cli::report(
        {interlock::base::Errc::invalid_arguments,
         "The command line cannot be understood: " + std::string(error.what()) + ".",
         "Run the command with --help."},
        json
    );
    return static_cast<int>(exit);
}

} // namespace

int main(int argc, char** argv) {
    interlock::base::install_signal_handling(interlock::base::Hangup::stops);
    interlock::base::log_setup(
        "interlock", interlock::base::LogLevel::warning, interlock::telemetry::redact_log_field
    );
    CLI::App app{"Interlock: agents look, people decide, a separate machine acts."};
    app.set_version_flag("--version", "interlock " INTERLOCK_VERSION);
    app.require_subcommand(1);
    app.footer("Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 5 store, 6 target "
               "unreachable,\n"
               "7 a check found a problem.");

    interlock::cli::PlansOptions plans;
    AuditCommands audit;
    interlock::cli::TargetsOptions targets;
    interlock::tools::InitOptions init;
    interlock::cli::DemoOptions demo;
    interlock::cli::KillOptions kill;
    interlock::cli::SqlOptions sql;
    const std::string state = interlock::base::default_state_directory();
    plans.state_directory = targets.state_directory = kill.state_directory = state;
    audit.log.state_directory = audit.bundle.state_directory = state;
    audit.search.state_directory = audit.report.state_directory = state;
    audit.erase.state_directory = state;
    Run run;
    add_demo(app, demo, run);
    add_targets(app, targets, init, run);
    add_plans(app, plans, run);
    add_audit(app, audit, run);
    add_kill(app, kill, run);
    add_sql(app, sql, run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return end_unparsed(app, error, asks_for_json(argc, argv));
    }
    return static_cast<int>(run());
}
