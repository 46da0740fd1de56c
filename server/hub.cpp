#include "server/hub.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "server/era.hpp"
#include "server/jsonrpc.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

constexpr std::chrono::milliseconds tick{250}; // how late a keep-alive may be

/// The member that tells whose news it is, in the listen's own id.
std::string tag(const Listen& listen) {
    return R"("_meta":{")" + std::string(meta::subscription) + R"(":)" + listen.id + "}";
}

/// What was asked for, as far as it is honoured.
std::string honoured(const ListenFilter& filter) {
    Json out = Json::object();
    for (const auto& [name, wanted] :
         {std::pair{"toolsListChanged", filter.tools},
          std::pair{"promptsListChanged", filter.prompts},
          std::pair{"resourcesListChanged", filter.resources}}) {
        if (wanted) {
            out[name] = true;
        }
    }
    if (!filter.uris.empty()) {
        out["resourceSubscriptions"] = filter.uris;
    }
    if (!filter.tasks.empty()) {
        out["taskIds"] = filter.tasks;
    }
    return base::render_json(out);
}

/// The last word of a listen that we end.
Reply farewell(const Listen& listen) {
    Json result = Json::object();
    if (auto members = base::parse_json("{" + listen.result_members + "}")) {
        result = std::move(members).value();
    }
    if (auto id = base::parse_json(listen.id)) {
        result["_meta"][std::string(meta::subscription)] = std::move(id).value();
    }
    Reply reply;
    reply.body = render_result(listen.id, base::render_json(result));
    return reply;
}

struct Listener {
    Listen listen;
    std::shared_ptr<Outlet> outlet;
    std::optional<std::stop_callback<std::function<void()>>> gone;
    std::mutex speaking; // held by who acknowledges: news come after it, and none is lost meanwhile

    void tell(std::string message) {
        const std::lock_guard lock(speaking);
        outlet->push(std::move(message));
    }
};
using ListenerPointer = std::shared_ptr<Listener>;

} // namespace

/// The mutex guards the members and nothing else: nobody is spoken to, and no stop callback ends,
/// while it is held. So a callback may take it, on whatever thread it runs.
struct Hub::State {
    State(Sessions& used_sessions, base::Clock& used_clock)
        : sessions(used_sessions),
          clock(used_clock),
          due(clock.ticks() + base::limits::stream_keep_alive) {}

    /// `number`: 0 when it was not refused, and will hear nothing either.
    std::optional<Reply> admit(const ListenerPointer& listener, std::uint64_t& number);
    std::optional<Reply> refuse(const Listen& listen) const;
    /// Null when somebody else ended it already.
    ListenerPointer take(std::uint64_t number);
    std::vector<ListenerPointer> all() const;
    /// To every listen that `wants` it; `params`: of the notification, without braces and tag.
    void tell_listens(
        std::string_view method,
        const std::string& params,
        const std::function<bool(const Listen&)>& wants
    ) const;
    void tell_sessions(
        const std::string& message, const std::function<bool(const LegacySession&)>& wants
    );
    void client_gone(std::uint64_t number);
    void keep_alive();
    void run_keeper();

    Sessions& sessions;
    base::Clock& clock;
    mutable std::mutex mutex;
    std::condition_variable wake;
    std::map<std::uint64_t, ListenerPointer> listeners;
    std::vector<ListenerPointer> left; // their clients are gone; the keeper lets go of them
    std::uint64_t last = 0;
    bool closed = false;
    bool ending = false;
    SessionPointer process;
    std::shared_ptr<Outlet> process_outlet;
    base::Ticks due; // of the next keep-alive; the keeper's own
    std::thread keeper;
};

Hub::Hub(Sessions& sessions, base::Clock& clock)
    : state_(std::make_shared<State>(sessions, clock)) {
    state_->keeper = std::thread([state = state_.get()] { state->run_keeper(); });
}

Hub::~Hub() {
    close();
    {
        const std::lock_guard lock(state_->mutex);
        state_->ending = true;
        state_->wake.notify_one();
    }
    state_->keeper.join();
    for (const ListenerPointer& listener : std::exchange(state_->left, {})) {
        listener->outlet->finish({});
    }
}

// --- Listening -----------------------------------------------------------------------------------

void Hub::listen(Listen listen, std::shared_ptr<Outlet> outlet, const std::stop_token& gone) {
    const auto listener = std::make_shared<Listener>();
    listener->listen = std::move(listen);
    listener->outlet = std::move(outlet);
    const Listen& asked = listener->listen;
    std::unique_lock speaking(listener->speaking);
    std::uint64_t number = 0;
    if (auto refusal = state_->admit(listener, number)) {
        listener->outlet->finish(*std::move(refusal));
        return;
    }
    const bool heard = listener->outlet->push(render_notification(
        "notifications/subscriptions/acknowledged",
        R"({"notifications":)" + honoured(asked.filter) + "," + tag(asked) + "}"
    ));
    speaking.unlock();
    // A client that takes no stream would hold its connection and never hear anything.
    if (number == 0 || (!heard && state_->take(number) != nullptr)) {
        listener->outlet->finish(farewell(asked));
        return;
    }
    listener->gone.emplace(gone, [weak = std::weak_ptr<State>(state_), number] {
        if (const auto state = weak.lock()) {
            state->client_gone(number);
        }
    });
}

std::optional<Reply> Hub::State::admit(const ListenerPointer& listener, std::uint64_t& number) {
    const std::lock_guard lock(mutex);
    if (auto refusal = refuse(listener->listen)) {
        return refusal;
    }
    if (!closed && !listener->listen.filter.empty()) {
        number = ++last;
        listeners.emplace(number, listener);
    }
    return std::nullopt;
}

ListenerPointer Hub::State::take(std::uint64_t number) {
    const std::lock_guard lock(mutex);
    auto found = listeners.extract(number);
    return found ? std::move(found.mapped()) : nullptr;
}

std::optional<Reply> Hub::State::refuse(const Listen& listen) const {
    Reply reply;
    const auto own = std::count_if(listeners.begin(), listeners.end(), [&](const auto& entry) {
        return entry.second->listen.subject == listen.subject;
    });
    const bool too_many = static_cast<std::size_t>(own) >= base::limits::listeners_per_subject_max;
    if (too_many || listeners.size() >= base::limits::listeners_max) {
        reply.status = 503;
        reply.retry_after = base::limits::busy_retry_after;
        reply.body = render_error(
            listen.id,
            {rpc::internal_error,
             too_many ? "This caller listens too often; end other listens first."
                      : "Too many clients listen; try again later.",
             {}}
        );
        return reply;
    }
    const bool taken = std::any_of(listeners.begin(), listeners.end(), [&](const auto& entry) {
        return !listen.key.empty() && entry.second->listen.key == listen.key;
    });
    if (taken) {
        reply.body = render_error(
            listen.id, {rpc::invalid_request, "A request with this id is still under way.", {}}
        );
        return reply;
    }
    return std::nullopt;
}

/// On the thread that noticed: only hands the listener over.
void Hub::State::client_gone(std::uint64_t number) {
    const std::lock_guard lock(mutex);
    if (auto found = listeners.extract(number)) {
        left.push_back(std::move(found.mapped()));
        wake.notify_one();
    }
}

bool Hub::cancel(const std::string& key) {
    ListenerPointer found;
    {
        const std::lock_guard lock(state_->mutex);
        for (auto at = state_->listeners.begin(); at != state_->listeners.end(); ++at) {
            if (!key.empty() && at->second->listen.key == key) {
                found = std::move(at->second);
                state_->listeners.erase(at);
                break;
            }
        }
    }
    if (found != nullptr) {
        found->outlet->finish({}); // a cancelled request is answered with silence
    }
    return found != nullptr;
}

void Hub::close() {
    std::map<std::uint64_t, ListenerPointer> ended;
    {
        const std::lock_guard lock(state_->mutex);
        state_->closed = true;
        ended.swap(state_->listeners);
    }
    for (const auto& [number, listener] : ended) {
        listener->outlet->finish(farewell(listener->listen));
    }
}

void Hub::attach_process(SessionPointer session, std::shared_ptr<Outlet> outlet) {
    const std::lock_guard lock(state_->mutex);
    state_->process = std::move(session);
    state_->process_outlet = std::move(outlet);
}

std::size_t Hub::listeners() const {
    const std::lock_guard lock(state_->mutex);
    return state_->listeners.size();
}

std::set<std::string> Hub::watched() const {
    std::set<std::string> uris;
    SessionPointer process;
    {
        const std::lock_guard lock(state_->mutex);
        process = state_->process;
        for (const auto& [number, listener] : state_->listeners) {
            uris.insert(listener->listen.filter.uris.begin(), listener->listen.filter.uris.end());
        }
    }
    if (process != nullptr) {
        uris.merge(process->subscriptions());
    }
    for (const SessionPointer& session : state_->sessions.all()) {
        uris.merge(session->subscriptions());
    }
    return uris;
}

// --- News ----------------------------------------------------------------------------------------

std::vector<ListenerPointer> Hub::State::all() const {
    const std::lock_guard lock(mutex);
    std::vector<ListenerPointer> out;
    out.reserve(listeners.size());
    for (const auto& [number, listener] : listeners) {
        out.push_back(listener);
    }
    return out;
}

void Hub::State::tell_listens(
    std::string_view method,
    const std::string& params,
    const std::function<bool(const Listen&)>& wants
) const {
    const std::string before = params.empty() ? "{" : "{" + params + ",";
    for (const ListenerPointer& listener : all()) {
        if (wants(listener->listen)) {
            listener->tell(render_notification(method, before + tag(listener->listen) + "}"));
        }
    }
}

void Hub::State::tell_sessions(
    const std::string& message, const std::function<bool(const LegacySession&)>& wants
) {
    for (const SessionPointer& session : sessions.all()) {
        if (wants(*session)) {
            session->streams().tell(message);
        }
    }
    SessionPointer session;
    std::shared_ptr<Outlet> outlet;
    {
        const std::lock_guard lock(mutex);
        session = process;
        outlet = process_outlet;
    }
    // Before `initialize` it may be a modern client, which hears what it listens to.
    if (session != nullptr && outlet != nullptr && !session->version().empty() && wants(*session)) {
        outlet->push(message);
    }
}

void Hub::lists_changed(const OfferChange& change) {
    struct List {
        bool changed;
        bool ListenFilter::*wanted;
        const char* method;
    };
    for (const List& list :
         {List{change.tools, &ListenFilter::tools, "notifications/tools/list_changed"},
          List{change.prompts, &ListenFilter::prompts, "notifications/prompts/list_changed"},
          List{
              change.resources,
              &ListenFilter::resources,
              "notifications/resources/list_changed"}}) {
        if (!list.changed) {
            continue;
        }
        state_->tell_listens(list.method, {}, [&](const Listen& listen) {
            return listen.filter.*list.wanted;
        });
        state_->tell_sessions(
            R"({"jsonrpc":"2.0","method":")" + std::string(list.method) + R"("})",
            [](const LegacySession&) { return true; }
        );
    }
}

void Hub::resource_updated(const std::string& uri) {
    constexpr std::string_view method = "notifications/resources/updated";
    const std::string params = R"("uri":)" + base::render_json(Json(uri));
    state_->tell_listens(method, params, [&](const Listen& listen) {
        return listen.filter.uris.contains(uri);
    });
    state_->tell_sessions(
        render_notification(method, "{" + params + "}"),
        [&](const auto& session) { return session.subscribed(uri); }
    );
}

void Hub::task_changed(
    const std::string& subject, const std::string& task_id, const std::string& task
) {
    state_->tell_listens(
        "notifications/tasks",
        task.substr(1, task.size() - 2),
        [&](const Listen& listen) {
            return listen.subject == subject && listen.filter.tasks.contains(task_id);
        }
    );
}

// --- Quiet streams -------------------------------------------------------------------------------

void Hub::State::keep_alive() {
    for (const ListenerPointer& listener : all()) {
        listener->outlet->keep_alive();
    }
    for (const SessionPointer& session : sessions.all()) {
        session->streams().keep_alive();
    }
}

void Hub::State::run_keeper() {
    std::unique_lock lock(mutex);
    while (!ending) {
        auto gone = std::exchange(left, {});
        if (gone.empty() && clock.ticks() < due) {
            wake.wait_for(lock, tick);
            continue;
        }
        lock.unlock();
        for (const ListenerPointer& listener : gone) {
            listener->outlet->finish({});
        }
        if (clock.ticks() >= due) {
            due = clock.ticks() + base::limits::stream_keep_alive;
            keep_alive();
        }
        gone.clear(); // not under the lock
        lock.lock();
    }
}

} // namespace interlock::server
