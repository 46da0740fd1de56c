#include "server/catalogue.hpp"

#include <utility>

namespace interlock::server {
namespace {

OfferChange difference(const CompiledOffer& left, const CompiledOffer& right) {
    return {
        .tools = left.tools() != right.tools(),
        .prompts = left.prompts() != right.prompts(),
        .resources =
            left.resources() != right.resources() || left.templates() != right.templates()};
}

} // namespace

Catalogue::Catalogue(std::shared_ptr<const CompiledOffer> offer) : offer_(std::move(offer)) {}

std::shared_ptr<const CompiledOffer> Catalogue::current() const {
    const std::lock_guard lock(mutex_);
    return offer_;
}

void Catalogue::replace(std::shared_ptr<const CompiledOffer> offer) {
    OfferChange change;
    std::function<void(const OfferChange&)> listener;
    {
        const std::lock_guard lock(mutex_);
        change = difference(*offer_, *offer);
        offer_ = std::move(offer);
        listener = listener_;
    }
    // Outside the lock: whoever hears it asks for the offer in force.
    if (listener && change.any()) {
        listener(change);
    }
}

void Catalogue::on_change(std::function<void(const OfferChange&)> listener) {
    const std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
}

} // namespace interlock::server
