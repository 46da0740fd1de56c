#include "executor/log_guard.hpp"

#include <utility>

namespace interlock::executor {

LogGuard::LogGuard(db::Store& store, std::string note_path, base::SigningKey key)
    : store_(store), memory_(std::move(note_path), checkpoint_name, std::move(key)) {}

base::Status LogGuard::check(const std::string& plan_digest) {
    const auto sound = verified_ ? memory_.follow(store_, telemetry::Scrutiny::records)
                                 : memory_.verify_all(store_);
    verified_ = sound.ok(); // after any doubt, everything is read again
    if (!sound || plan_digest.empty())
        return sound;
    return memory_.still_says(store_, plan_digest);
}

base::Status LogGuard::remember() {
    INTERLOCK_CHECK(check());
    return memory_.keep();
}

} // namespace interlock::executor
