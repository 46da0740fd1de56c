// The catalogue that the official MCP conformance suite expects of a server: names, texts and
// behaviour are its (README of @modelcontextprotocol/conformance), as is the habit of one tool a
// question. Beside them a few of ours, for what the suite does not look at.
#pragma once

#include "server/catalogue.hpp"
#include "server/hub.hpp"
#include "server/offer.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace interlock::conformance {

/// What is offered now and then only, so that somebody who listens hears of it.
struct Extras {
    bool tool = false;
    bool prompt = false;
};

/// The part of the catalogue that fixtures change while clients are connected. Thread-safe.
class Changes {
public:
    /// The offer to begin with.
    base::Result<std::shared_ptr<const server::CompiledOffer>> begin();
    /// Before the first call is served.
    void attach(server::Catalogue& catalogue, server::Hub& hub);

    void change_tools();
    void change_prompts();
    void change_watched_resource();
    std::string watched_text() const;

private:
    void replace();

    mutable std::mutex mutex_;
    Extras extras_;
    int revision_ = 1; // of the watched resource
    server::Catalogue* catalogue_ = nullptr;
    server::Hub* hub_ = nullptr;
};

inline constexpr const char* watched_uri = "test://watched-resource";

/// Each adds its part; `changes` outlives the offer.
void add_content_tools(server::Offer& offer);
void add_asking_tools(server::Offer& offer);
void add_slow_tools(server::Offer& offer);
void add_changing_tools(server::Offer& offer, Changes& changes, bool extra);
void add_resources(server::Offer& offer, const Changes& changes);
void add_prompts(server::Offer& offer, bool extra);

} // namespace interlock::conformance
