// interlock-executor: runs plans that people approved, after verifying everything itself.
#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/signals.hpp"
#include "base/state_directory.hpp"
#include "executor/config.hpp"
#include "executor/executor.hpp"
#include "executor/pg_target.hpp"
#include "executor/status_server.hpp"
#include "executor/store_contact.hpp"
#include "telemetry/checkpoint.hpp"
#include "telemetry/redaction.hpp"
#include "telemetry/span_file.hpp"

#include <filesystem>

#include <CLI/CLI.hpp>

namespace {

using interlock::base::Error;
using interlock::base::Result;
using interlock::base::StateDirectory;
using interlock::base::Status;
namespace approval = interlock::approval;
namespace base = interlock::base;
namespace db = interlock::db;
namespace executor = interlock::executor;
namespace limits = interlock::base::limits;
namespace telemetry = interlock::telemetry;

constexpr const char* program = "interlock-executor";
constexpr auto drain = std::chrono::milliseconds{500}; // status answers are short

enum ExitCode {
    exit_done = 0,
    exit_internal = 1,
    exit_configuration = 2,
    exit_queue = 3,
    exit_frozen = 4,
    exit_not_succeeded = 5,
    exit_not_ended = 6,
};
constexpr const char* exit_codes =
    "Exit codes: 0 nothing to do, or everything succeeded; 1 a defect; 2 the configuration is not\n"
    "usable; 3 the queue is not usable; 4 the audit log does not continue the executor's last\n"
    "checkpoint, nothing was started. With --once also: 5 a plan ended without success; 6 a plan "
    "was\n"
    "refused, or was begun and is not ended.";

struct Arguments {
    std::string config;
    std::string state;
    std::vector<std::string> targets;
    std::string allowed_signers;
    std::string revoked_keys;
    std::string people;
    std::string listen;
    std::string log_level = "info";
    long long lease_seconds = limits::lease_lifetime.count();
    bool once = false;
};

void declare(CLI::App& app, Arguments& arguments) {
    app.footer(exit_codes);
    app.set_version_flag("--version", INTERLOCK_VERSION);
    auto* config = app.add_option("--config", arguments.config, "Configuration file (YAML)");
    const auto quick = [&](auto* option) { option->excludes(config); };
    quick(app.add_option("--state", arguments.state, "State directory, shared with the queue"));
    quick(app.add_option("--target", arguments.targets, "NAME=CONNINFO; may be given again"));
    quick(app.add_option("--allowed-signers", arguments.allowed_signers, "Who may approve"));
    quick(app.add_option("--revoked-keys", arguments.revoked_keys, "Keys that count no more"));
    quick(app.add_option("--people", arguments.people, "Which subjects are one person (YAML)"));
    quick(app.add_option("--listen", arguments.listen, "ADDRESS:PORT of /healthz and /metrics"));
    quick(app.add_option("--log-level", arguments.log_level, "debug, info, warning or error"));
    quick(app.add_option(
        "--lease-seconds", arguments.lease_seconds, "How long a claim lasts without renewal"
    ));
    app.add_flag("--once", arguments.once, "Handle what is there, then end");
}

Result<executor::Config> configure(const Arguments& arguments) {
    if (!arguments.config.empty()) {
        INTERLOCK_TRY(const auto text, base::read_file(arguments.config, limits::yaml_bytes_max));
        std::error_code failed;
        const auto path = std::filesystem::absolute(arguments.config, failed);
        INTERLOCK_TRY(auto config, executor::read_config(text, path.parent_path().string()));
        INTERLOCK_CHECK(executor::check_config(config));
        return config;
    }
    executor::Config config;
    config.state = arguments.state.empty() ? base::default_state_directory() : arguments.state;
    config.store = StateDirectory{config.state}.queue();
    for (const auto& target : arguments.targets) {
        INTERLOCK_TRY(auto address, db::parse_target_argument(target));
        config.targets.push_back(std::move(address));
    }
    config.approvers.allowed_signers = arguments.allowed_signers;
    config.approvers.revoked_keys = arguments.revoked_keys;
    if (!arguments.people.empty()) {
        INTERLOCK_TRY(const auto text, base::read_file(arguments.people, limits::yaml_bytes_max));
        INTERLOCK_TRY(config.approvers.people, executor::read_people(text));
    }
    config.listen = arguments.listen;
    config.lease_lifetime = std::chrono::seconds{arguments.lease_seconds};
    INTERLOCK_TRY(config.log_level, base::log_level_from_name(arguments.log_level));
    INTERLOCK_CHECK(executor::check_config(config));
    return config;
}

int fail(const char* event, const Error& error, ExitCode code) {
    base::log_error(event, {{"code", base::name(error.code)}, {"why", base::to_text(error)}});
    return code;
}

ExitCode exit_after(const executor::Pass& pass) {
    if (pass.frozen) {
        return exit_frozen;
    }
    if (pass.failed > 0) {
        return exit_queue;
    }
    if (pass.left > 0 || pass.refused > 0) {
        return exit_not_ended;
    }
    return pass.ended > 0 ? exit_not_succeeded : exit_done;
}

Status make_directories(const StateDirectory& state) {
    INTERLOCK_CHECK(base::make_private_directory(state.keys()));
    INTERLOCK_CHECK(base::make_private_directory(state.checkpoints()));
    return base::make_private_directory(state.spans());
}

/// Looks at the queue until told to stop.
ExitCode serve(executor::Executor& machine, const executor::Config& config, bool once) {
    while (!base::stop_requested()) {
        const auto pass = machine.pass();
        if (once) {
            return exit_after(pass);
        }
        if (pass.frozen) {
            // Stays up so that /healthz and the log keep saying why; ends when told to.
            while (!base::wait_for_stop(std::chrono::seconds{60})) {
                base::log_error("executor.frozen", {{"why", machine.frozen().value_or("")}});
            }
            return exit_frozen;
        }
        (void)base::wait_for_stop(config.poll_interval);
    }
    return exit_done;
}

int run(const executor::Config& config, bool once) {
    const StateDirectory state{config.state};
    if (auto made = make_directories(state); !made.ok()) {
        return fail("state.unusable", made.error(), exit_configuration);
    }
    base::SystemClock clock;
    base::SystemRandom random;
    const auto place = db::find_store(state, config.store);
    if (!place.ok()) {
        return fail("configuration.unusable", place.error(), exit_configuration);
    }
    auto store = executor::ask_again(clock, base::stop_requested, [&] {
        return db::open_store(*place, db::StoreMode::existing, clock);
    });
    if (!store.ok()) {
        return fail("queue.unusable", store.error(), exit_queue);
    }
    approval::Queue queue(**store, random, config.lease_lifetime);
    auto tables =
        executor::ask_again(clock, base::stop_requested, [&] { return queue.create_tables(); });
    if (!tables.ok()) {
        return fail("queue.unusable", tables.error(), exit_queue);
    }
    const auto key =
        base::load_or_create_signing_key(state.keys() + "/executor.ed25519", random.bytes(32));
    if (!key.ok()) {
        return fail("key.unusable", key.error(), exit_configuration);
    }
    auto settings = telemetry::read_otlp_settings(telemetry::process_environment(), program);
    if (!settings.ok()) {
        return fail("configuration.unusable", settings.error(), exit_configuration);
    }
    telemetry::Metrics metrics;
    const auto spans = telemetry::make_span_sink(
        state.spans(), program, std::move(settings).value(), clock, random, &metrics
    );
    telemetry::Tracer tracer(*spans, clock, random);
    const auto targets = executor::make_pg_targets(config.targets);
    executor::OutcomeJournal journal(state.root + "/outcomes");
    executor::LogGuard guard(**store, state.checkpoints() + "/executor.note", *key);
    const executor::Surroundings around{
        queue,
        **store,
        *targets,
        clock,
        tracer,
        metrics,
        journal,
        *key,
        base::new_id(random, "executor"),
        {config.lease_lifetime, /*background=*/true},
        base::stop_requested};
    executor::Executor machine(
        around, **store, random, config.approvers, interlock::runbooks::library(), guard
    );
    std::unique_ptr<base::HttpServer> status;
    if (!config.listen.empty()) {
        auto started = executor::start_status_server(config.listen, metrics, [&machine] {
            return machine.frozen();
        });
        if (!started.ok()) {
            return fail("status.unavailable", started.error(), exit_configuration);
        }
        status = std::move(started).value();
        base::log_info("status.listening", {{"port", std::to_string(status->port())}});
    }
    if (auto sound = machine.start(); !sound.ok()) {
        const bool corrupt = sound.error().code == base::Errc::corrupt;
        return fail(
            corrupt ? "executor.frozen" : "queue.unusable",
            sound.error(),
            corrupt ? exit_frozen : exit_queue
        );
    }
    base::log_info(
        "executor.started",
        {{"executor", around.executor},
         {"queue", (*store)->describe()},
         {"targets", std::to_string(config.targets.size())},
         {"verifier_key", telemetry::verifier_key(executor::checkpoint_name, key->public_key)}}
    );
    const auto code = serve(machine, config, once);
    if (status) {
        status->stop(drain);
    }
    base::log_info("executor.stopped", {{"exit", std::to_string(code)}});
    return code;
}

} // namespace

int main(int argc, char** argv) {
    base::install_signal_handling();
    Arguments arguments;
    CLI::App app("Runs plans that people approved, after verifying everything itself.", program);
    declare(app, arguments);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_done : exit_configuration;
    }
    base::log_setup(program, base::LogLevel::info, telemetry::redact_log_field);
    const auto config = configure(arguments);
    if (!config.ok()) {
        return fail("configuration.unusable", config.error(), exit_configuration);
    }
    base::log_setup(program, config->log_level, telemetry::redact_log_field);
    try {
        return run(*config, arguments.once);
    } catch (const std::exception& error) {
        return fail("executor.failed", {base::Errc::internal, error.what(), ""}, exit_internal);
    }
}
