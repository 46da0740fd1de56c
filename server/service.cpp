#include "server/service.hpp"

#include "approval/queue.hpp"
#include "base/db/reader_connection.hpp"
#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "base/state_directory.hpp"
#include "server/brakes_watch.hpp"
#include "server/call_guard.hpp"
#include "server/checkpoint_keeper.hpp"
#include "server/diagnostic_offer.hpp"
#include "server/plan_watcher.hpp"
#include "server/queue_monitor.hpp"
#include "server/spending_watch.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/span_file.hpp"
#include "tools/catalog.hpp"
#include "tools/drift.hpp"
#include "tools/lane_check.hpp"
#include "tools/open_evidence.hpp"
#include "tools/sampler.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace interlock::server {
namespace {

constexpr const char* program = "interlock-server";
constexpr std::size_t checks_at_once = 8; // a start must not wait for dead targets one by one

/// The roles that rules map callers to, each once.
std::vector<std::string> mapped_roles(const Options& options) {
    std::set<std::string> roles;
    if (options.authorization) {
        for (const IdentityRule& rule : options.authorization->rules) {
            roles.insert(rule.database_role);
        }
    }
    roles.erase("");
    return {roles.begin(), roles.end()};
}

/// done: narrow, or not to be told now. An Error: this credential must not be used.
base::Status check_one(const db::TargetAddress& address) {
    const auto not_checked = [&](const base::Error& why) {
        base::log_warning(
            "target.not_checked",
            {{"target", address.name},
             {"why", base::to_text(why)},
             {"then", "its credential is checked when it can be reached"}}
        );
    };
    auto connection = db::ReaderConnection::open(address);
    if (!connection) {
        not_checked(connection.error());
        return base::done;
    }
    const auto checks = tools::check_lane(*connection.value());
    if (!checks) {
        not_checked(checks.error());
        return base::done;
    }
    const auto narrow = tools::require_narrow(address.name, checks.value());
    if (!narrow && narrow.error().code != base::Errc::permission_denied) {
        not_checked(narrow.error()); // the target is too busy, or went away
        return base::done;
    }
    INTERLOCK_CHECK(narrow);
    base::log_info("target.checked", {{"target", address.name}});
    return base::done;
}

} // namespace

struct Service::State {
    State(
        const Options& chosen,
        base::Clock& used_clock,
        base::Random& used_random,
        std::unique_ptr<db::Store> opened_store,
        std::unique_ptr<db::Store> opened_brakes,
        std::unique_ptr<tools::EvidenceStore> opened_evidence,
        std::unique_ptr<CheckpointKeeper> opened_keeper,
        telemetry::OtlpSettings spans_settings
    )
        : options(chosen),
          clock(used_clock),
          random(used_random),
          directory{chosen.state},
          store(std::move(opened_store)),
          brakes_store(std::move(opened_brakes)),
          evidence(std::move(opened_evidence)),
          keeper(std::move(opened_keeper)),
          queue(*store, random),
          spans(telemetry::make_span_sink(
              directory.spans(), program, std::move(spans_settings), clock, random, &metrics
          )),
          tracer(*spans, clock, random),
          targets(chosen.targets, clock, metrics),
          context{targets, *evidence, metrics, tracer, clock, random, tools::AnswerChecks::sampled},
          drift({targets, tools::catalog(), clock, metrics, mapped_roles(chosen)}),
          sampler({targets, clock}) {
        context.drift = &drift;
        context.sampler = &sampler;
    }

    base::Result<std::shared_ptr<const CompiledOffer>>
    compile_offer(const std::vector<std::string>& chosen);
    /// Without what is killed, and with what is not any more. `chosen`: toolsets from now on.
    base::Status offer_again(const std::optional<std::vector<std::string>>& chosen = {});
    void brakes_changed(const BrakesInForce& before, const BrakesInForce& now);

    const Options options;
    base::Clock& clock;
    base::Random& random;
    const base::StateDirectory directory;
    std::unique_ptr<db::Store> store;
    std::unique_ptr<db::Store> brakes_store; // the same, read without waiting for writers
    std::unique_ptr<tools::EvidenceStore> evidence;
    std::unique_ptr<CheckpointKeeper> keeper;
    approval::Queue queue;
    telemetry::Metrics metrics;
    std::unique_ptr<telemetry::SpanSink> spans;
    telemetry::Tracer tracer;
    tools::Targets targets;
    tools::Context context;
    tools::DriftWatch drift;
    tools::Sampler sampler;
    std::unique_ptr<telemetry::AuditWriter> audit; // once the tables exist
    PlanMarks plan_marks;
    std::mutex offering; // guards toolsets, and is held while an offer is replaced
    std::vector<std::string> toolsets{options.toolsets};
    BrakesWatch brakes{{*brakes_store, *store, random, metrics}};
    Supervisor supervisor{options.supervisor};
    SpendingWatch spending{{*brakes_store, *store, supervisor, clock}};
    CallGuard guard{{brakes, supervisor, metrics, clock, &spending}};
    TurnedAway turned_away{metrics, clock};
    std::optional<Catalogue> catalogue;
    Sessions sessions{clock, random, &metrics};
    Hub hub{sessions, clock};
    Tasks tasks{clock, random};
    RequestStates states{clock, random};
    Questions questions;
    std::optional<CallRunner> runner;
    std::optional<Protocol> protocol;
    std::optional<Dispatcher> dispatcher; // after all that its work uses
    std::optional<MessageHandler> handler;
    std::optional<PlanWatcher> watcher;
    std::optional<QueueMonitor> monitor;
    std::atomic<bool> checked{false};
    std::atomic<bool> draining{false};
};

base::Result<std::shared_ptr<const CompiledOffer>>
Service::State::compile_offer(const std::vector<std::string>& chosen) {
    const auto in_force = brakes.current();
    INTERLOCK_TRY(
        auto offer,
        diagnostic_offer(
            {.context = context,
             .queue = queue,
             .desk_url = options.desk_url,
             .toolsets = chosen,
             .marks = &plan_marks,
             .without = in_force->names(approval::BrakeKind::tool)}
        )
    );
    // Series that begin at 0, so that the first of a kind is a rise that an alert sees.
    for (const OfferedTool& tool : offer.tools) {
        metrics.count(telemetry::Counter::schema_errors, {tool.name}, 0);
        metrics.count(telemetry::Counter::cut_bytes, {tool.name}, 0);
    }
    return CompiledOffer::compile(std::move(offer));
}

base::Status Service::State::offer_again(const std::optional<std::vector<std::string>>& chosen) {
    const std::lock_guard lock(offering);
    INTERLOCK_TRY(auto offer, compile_offer(chosen.value_or(toolsets)));
    toolsets = chosen.value_or(toolsets);
    catalogue->replace(std::move(offer));
    return base::done;
}

void Service::State::brakes_changed(const BrakesInForce& before, const BrakesInForce& now) {
    std::map<std::string, std::string> off;
    for (const std::string& name : now.names(approval::BrakeKind::target)) {
        off.emplace(name, now.target(name)->reason);
    }
    targets.switch_off(off);
    guard.apply(before, now);
    if (before.names(approval::BrakeKind::tool) == now.names(approval::BrakeKind::tool)) {
        return;
    }
    // A killed tool is refused by the guard already; this takes it from the list.
    if (const auto offered = offer_again(); !offered) {
        base::log_error("brakes.offer_stands", {{"what", base::to_text(offered.error())}});
    }
}

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}
Service::~Service() {
    drain();
}

base::Result<std::unique_ptr<Service>>
Service::open(const Options& options, base::Clock& clock, base::Random& random) {
    const base::StateDirectory directory{options.state};
    INTERLOCK_TRY(
        auto spans_settings,
        telemetry::read_otlp_settings(telemetry::process_environment(), program)
    );
    INTERLOCK_CHECK(base::make_private_directory(directory.root));
    INTERLOCK_CHECK(base::make_private_directory(directory.spans()));
    INTERLOCK_TRY(const auto place, db::find_store(directory));
    INTERLOCK_TRY(auto store, db::open_store(place, db::StoreMode::create, clock));
    INTERLOCK_TRY(auto brakes, db::open_store(place, db::StoreMode::existing, clock));
    INTERLOCK_TRY(auto evidence, tools::open_evidence(directory, clock));
    INTERLOCK_TRY(auto keeper, CheckpointKeeper::open(directory, random));
    auto state = std::make_unique<State>(
        options,
        clock,
        random,
        std::move(store),
        std::move(brakes),
        std::move(evidence),
        std::move(keeper),
        std::move(spans_settings)
    );
    INTERLOCK_CHECK(state->queue.create_tables());
    // A log that does not continue what this program saw is told by /readyz, and takes no call.
    if (const auto sound = state->keeper->follow(*state->store); !sound) {
        base::log_error("checkpoint.not_compared", {{"what", base::to_text(sound.error())}});
    }
    state->audit = recording_in_a_sound_log(
        telemetry::AuditWriter::start(
            *state->store, random, {.metrics = &state->metrics, .clock = &clock}
        ),
        *state->keeper
    );
    INTERLOCK_TRY(auto offer, state->compile_offer(options.toolsets));
    state->catalogue.emplace(std::move(offer));
    state->catalogue->on_change([hub = &state->hub](const OfferChange& change) {
        hub->lists_changed(change);
    });
    state->tasks.on_change(
        [hub = &state->hub](
            const std::string& subject, const std::string& id, const std::string& task
        ) { hub->task_changed(subject, id, task); }
    );
    state->runner.emplace(CallParts{
        state->states,
        state->tasks,
        state->questions,
        state->audit.get(),
        state->metrics,
        clock,
        random,
        &state->guard});
    state->protocol.emplace(ProtocolParts{
        *state->catalogue,
        state->sessions,
        state->tasks,
        state->states,
        state->tracer,
        state->metrics,
        clock,
        [guard = &state->guard](const Access& access) -> std::optional<RpcError> {
            const auto barred = guard->barred(access.identity);
            return barred
                       ? std::optional(rpc_error(rpc::invalid_request, base::to_text(barred->error))
                         )
                       : std::nullopt;
        }});
    state->dispatcher.emplace(clock, DispatcherOptions{.paused = true});
    state->handler.emplace(HandlerParts{
        *state->protocol, *state->dispatcher, *state->runner, state->hub, state->questions});
    state->sessions.on_end([handler = &*state->handler](const std::string& id) {
        handler->session_ended(id);
    });
    state->watcher.emplace(PlanWatcherParts{
        state->queue,
        state->plan_marks,
        [hub = &state->hub] { return hub->watched(); },
        [hub = &state->hub](const std::string& uri) { hub->resource_updated(uri); }});
    state->monitor.emplace(state->queue, state->metrics);
    state->spending.start([guard = &state->guard](
                              const telemetry::Identity& identity, const Breach& breach
                          ) { guard->suspend(identity, breach); });
    // The last: what it tells of a change has to stand. Calls are not let in before.
    INTERLOCK_CHECK(state->brakes.start([at = state.get()](
                                            const BrakesInForce& before, const BrakesInForce& now
                                        ) { at->brakes_changed(before, now); }));
    return std::unique_ptr<Service>(new Service(std::move(state)));
}

base::Status Service::check_credentials() {
    const auto& addresses = state_->options.targets;
    std::vector<base::Status> found(addresses.size(), base::done);
    std::atomic<std::size_t> next{0};
    {
        std::vector<std::jthread> checkers;
        for (std::size_t i = 0; i < std::min(checks_at_once, addresses.size()); ++i) {
            checkers.emplace_back([&] {
                for (std::size_t at = next++; at < addresses.size(); at = next++) {
                    found[at] = check_one(addresses[at]);
                }
            });
        }
    }
    for (const base::Status& status : found) {
        if (!status) {
            return status.error();
        }
    }
    state_->checked.store(true);
    state_->dispatcher->resume();
    state_->drift.start(); // both beside the calls: nobody waits for them
    state_->sampler.start();
    return base::done;
}

MessageHandler& Service::handler() {
    return *state_->handler;
}
Sessions& Service::sessions() {
    return state_->sessions;
}
Hub& Service::hub() {
    return state_->hub;
}
telemetry::Metrics& Service::metrics() {
    return state_->metrics;
}
TurnedAway& Service::turned_away() {
    return state_->turned_away;
}

base::Status Service::reload(const Options& options) {
    INTERLOCK_CHECK(state_->offer_again(options.toolsets));
    state_->supervisor.use(options.supervisor);
    state_->drift.use_roles(mapped_roles(options));
    return base::done;
}

std::string Service::unready() const {
    if (state_->draining.load()) {
        return "stopping";
    }
    if (!state_->checked.load()) {
        return "the targets' credentials are not checked yet";
    }
    if (const auto unsound = state_->keeper->unsound()) {
        return base::to_text(*unsound); // the words of the log line
    }
    if (!state_->runner->audit_works()) {
        return "the audit log cannot be written";
    }
    return state_->brakes.unready();
}

void Service::keep_checkpoint() {
    if (const auto kept = state_->keeper->keep(*state_->store); !kept) {
        base::log_error("checkpoint.not_kept", {{"what", base::to_text(kept.error())}});
    }
}

void Service::drain() {
    if (state_->draining.exchange(true)) {
        return;
    }
    state_->watcher.reset();
    state_->monitor.reset();
    state_->hub.close();
    state_->dispatcher->drain(base::limits::drain_max);
    state_->spending.stop(); // may suspend somebody yet
    state_->brakes.stop();
    state_->sessions.close(); // standing streams would hold the listener open
    state_->sessions.on_end({});
    keep_checkpoint();
}

telemetry::Identity stdio_identity() {
    telemetry::Identity identity;
    identity.subject = "os:" + base::current_user();
    identity.issuer = "os";
    identity.proof = "os_user";
    return identity;
}

telemetry::Identity loopback_identity() {
    telemetry::Identity identity;
    // Whoever reaches this machine's loopback acts as the person who started the server: were the
    // requester nobody, nobody could be told apart from the approver.
    identity.subject = "os:" + base::current_user();
    identity.issuer = "loopback";
    identity.proof = "none";
    return identity;
}

} // namespace interlock::server
