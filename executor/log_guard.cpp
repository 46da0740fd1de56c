#include "executor/log_guard.hpp"

#include "telemetry/kept_checkpoints.hpp"

#include <filesystem>
#include <utility>

namespace interlock::executor {

LogGuard::LogGuard(db::Store& store, std::string note_path, base::SigningKey key)
    : store_(store),
      directory_(std::filesystem::path(note_path).parent_path().string()),
      memory_(std::move(note_path), checkpoint_name, std::move(key)) {}

base::Status LogGuard::check(const std::string& plan_digest) {
    auto sound = verified_ ? memory_.follow(store_, telemetry::Scrutiny::records)
                           : memory_.verify_all(store_);
    if (sound && !verified_)
        sound = telemetry::log_continues(store_, directory_);
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
