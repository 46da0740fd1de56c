// News for those who listen: changed lists, changed resources, changed tasks. Modern clients listen
// with subscriptions/listen, legacy ones on their session. Every listener hears what it asked for
// and nothing else. One thread of its own keeps quiet streams alive.
#pragma once

#include "base/clock.hpp"
#include "server/catalogue.hpp"
#include "server/outlet.hpp"
#include "server/sessions.hpp"
#include "telemetry/identity.hpp"

#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::server {

/// What a subscriptions/listen asked for, already narrowed to what we honour for this caller.
struct ListenFilter {
    bool tools = false;
    bool prompts = false;
    bool resources = false;
    std::set<std::string> uris;
    std::set<std::string> tasks;
    bool empty() const { return !tools && !prompts && !resources && uris.empty() && tasks.empty(); }
};

/// A listen that was understood.
struct Listen {
    std::string key; // names it for cancellation (stdio); "" = only a disconnect ends it
    std::string id;  // JSON text of the request id: tags everything that is said
    std::string subject;
    ListenFilter filter;
    std::string result_members; // CompiledOffer::modern_members of the offer in force
};

class Hub {
public:
    /// Keep-alive comments go out every limits::stream_keep_alive while the hub lives.
    Hub(Sessions& sessions, base::Clock& clock);
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// Acknowledges, then holds `outlet` until the listen ends; at once when nothing is honoured.
    /// 503 past limits::listeners_max. `gone`: the client closed its request.
    void listen(Listen listen, std::shared_ptr<Outlet> outlet, const std::stop_token& gone);
    /// stdio: the client cancelled its listen. False when there is none of this key.
    bool cancel(const std::string& key);
    /// The stdio session and where its news go.
    void attach_process(SessionPointer session, std::shared_ptr<Outlet> outlet);

    void lists_changed(const OfferChange& change);
    void resource_updated(const std::string& uri);
    /// `task`: JSON text of the whole task, told to listens of its owner that named it.
    void
    task_changed(const std::string& subject, const std::string& task_id, const std::string& task);
    /// The resources somebody watches now, so that a watcher looks at those only.
    std::set<std::string> watched() const;
    std::size_t listeners() const;

    /// Ends every listen with its result.
    void close();

private:
    struct State;
    std::shared_ptr<State> state_; // shared with stop callbacks that may outlive us by a moment
};

} // namespace interlock::server
