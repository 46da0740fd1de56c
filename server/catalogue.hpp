// The offer in force, and the news when it is replaced (a reload, a tool switched off). Calls keep
// the offer they began under.
#pragma once

#include "base/result.hpp"
#include "server/offer.hpp"

#include <functional>
#include <memory>
#include <mutex>

namespace interlock::server {

/// Which lists differ.
struct OfferChange {
    bool tools = false;
    bool prompts = false;
    bool resources = false;
    bool any() const { return tools || prompts || resources; }
};

class Catalogue {
public:
    explicit Catalogue(std::shared_ptr<const CompiledOffer> offer);
    std::shared_ptr<const CompiledOffer> current() const;
    /// Puts another offer in force and tells the listener which lists differ. Any thread.
    void replace(std::shared_ptr<const CompiledOffer> offer);
    /// At most one listener (the hub); set before any replace().
    void on_change(std::function<void(const OfferChange&)> listener);

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const CompiledOffer> offer_;
    std::function<void(const OfferChange&)> listener_;
};

} // namespace interlock::server
