#include "base/log.hpp"
#include "tests/conformance/fixtures.hpp"

#include <utility>

namespace interlock::conformance {
namespace {

base::Result<std::shared_ptr<const server::CompiledOffer>>
compile(Changes& changes, const Extras& extras) {
    server::Offer offer;
    offer.name = "interlock-conformance";
    offer.title = "Interlock conformance fixtures";
    offer.version = INTERLOCK_VERSION;
    offer.instructions = "Fixtures for the MCP conformance suite.";
    offer.logging = true;
    offer.changes = true;
    add_content_tools(offer);
    add_asking_tools(offer);
    add_slow_tools(offer);
    add_changing_tools(offer, changes, extras.tool);
    add_resources(offer, changes);
    add_prompts(offer, extras.prompt);
    return server::CompiledOffer::compile(std::move(offer));
}

} // namespace

base::Result<std::shared_ptr<const server::CompiledOffer>> Changes::begin() {
    return compile(*this, extras_);
}

void Changes::attach(server::Catalogue& catalogue, server::Hub& hub) {
    catalogue_ = &catalogue;
    hub_ = &hub;
}

void Changes::replace() {
    auto compiled = compile(*this, extras_);
    if (!compiled) {
        base::log_error("offer.not_replaced", {{"what", base::to_text(compiled.error())}});
        return;
    }
    catalogue_->replace(std::move(compiled).value());
}

void Changes::change_tools() {
    const std::lock_guard lock(mutex_);
    extras_.tool = !extras_.tool;
    replace();
}

void Changes::change_prompts() {
    const std::lock_guard lock(mutex_);
    extras_.prompt = !extras_.prompt;
    replace();
}

void Changes::change_watched_resource() {
    {
        const std::lock_guard lock(mutex_);
        ++revision_;
    }
    hub_->resource_updated(watched_uri);
}

std::string Changes::watched_text() const {
    const std::lock_guard lock(mutex_);
    return "Watched resource, revision " + std::to_string(revision_) + ".";
}

} // namespace interlock::conformance
