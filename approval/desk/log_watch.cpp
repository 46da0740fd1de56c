#include "approval/desk/log_watch.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "telemetry/kept_checkpoints.hpp"

#include <utility>

namespace interlock::desk {

namespace {

constexpr const char* program = "interlock-desk";
constexpr std::chrono::minutes keep_interval{1}; // pages are read more often than logs are cut

} // namespace

LogWatch::LogWatch(std::string directory, base::SigningKey key, base::Clock& clock)
    : clock_(clock),
      directory_(std::move(directory)),
      memory_(directory_ + "/" + program + ".note", program, std::move(key)) {}

base::Result<std::unique_ptr<LogWatch>>
LogWatch::open(const base::StateDirectory& state, base::Clock& clock, base::Random& random) {
    INTERLOCK_CHECK(base::make_private_directory(state.keys()));
    INTERLOCK_CHECK(base::make_private_directory(state.checkpoints()));
    INTERLOCK_TRY(
        base::SigningKey key,
        base::load_or_create_signing_key(
            state.keys() + "/" + program + ".ed25519", random.bytes(32)
        )
    );
    return std::unique_ptr<LogWatch>(new LogWatch(state.checkpoints(), std::move(key), clock));
}

base::Status LogWatch::check(db::Store& store) {
    const std::lock_guard lock(mutex_);
    if (broken_)
        return *broken_;
    auto followed = memory_.follow(store, telemetry::Scrutiny::hashes);
    if (followed && !began_) {
        followed = telemetry::log_continues(store, directory_);
        began_ = followed.ok();
    }
    if (!followed) {
        if (followed.error().code == base::Errc::corrupt) {
            base::log_error("audit.not_continued", {{"why", base::to_text(followed.error())}});
            broken_ = followed.error();
        }
        return followed;
    }
    const auto now = clock_.ticks();
    const bool due =
        !kept_ || (memory_.seen()->size != kept_size_ && now - *kept_ >= keep_interval);
    if (!due)
        return base::done;
    // A view that cannot be written down is no reason to show nothing: the log is whole.
    if (const auto written = memory_.keep(); !written)
        base::log_error("checkpoint.not_kept", {{"what", base::to_text(written.error())}});
    kept_ = now;
    kept_size_ = memory_.seen()->size;
    return base::done;
}

} // namespace interlock::desk
