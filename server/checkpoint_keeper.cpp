#include "server/checkpoint_keeper.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "telemetry/checkpoint.hpp"
#include "telemetry/kept_checkpoints.hpp"

#include <utility>

namespace interlock::server {
namespace {

constexpr const char* program = "interlock-server";

class GuardedWriter final : public telemetry::AuditWriter {
public:
    GuardedWriter(std::unique_ptr<telemetry::AuditWriter> writer, CheckpointKeeper& keeper)
        : writer_(std::move(writer)), keeper_(keeper) {}
    base::Result<std::shared_ptr<telemetry::AuditTicket>> enqueue(telemetry::AuditEntry entry
    ) override {
        if (auto broken = keeper_.broken())
            return std::move(*broken);
        return writer_->enqueue(std::move(entry));
    }

private:
    const std::unique_ptr<telemetry::AuditWriter> writer_;
    CheckpointKeeper& keeper_;
};

} // namespace

CheckpointKeeper::CheckpointKeeper(std::string directory, base::SigningKey key)
    : directory_(std::move(directory)),
      memory_(directory_ + "/" + program + ".note", program, std::move(key)) {}

base::Result<std::unique_ptr<CheckpointKeeper>>
CheckpointKeeper::open(const base::StateDirectory& state, base::Random& random) {
    INTERLOCK_CHECK(base::make_private_directory(state.keys()));
    INTERLOCK_CHECK(base::make_private_directory(state.checkpoints()));
    INTERLOCK_TRY(
        base::SigningKey key,
        base::load_or_create_signing_key(
            state.keys() + "/" + program + ".ed25519", random.bytes(32)
        )
    );
    const std::string beside = state.checkpoints() + "/" + program;
    const std::string verifier = telemetry::verifier_key(program, key.public_key) + "\n";
    // Only when it is not there yet: a start is not to wait for the disk.
    const auto present = base::read_file(beside + ".vkey", verifier.size());
    if (!present || present.value() != verifier) {
        INTERLOCK_CHECK(base::write_file_atomically(beside + ".vkey", verifier, 0644));
    }
    return std::unique_ptr<CheckpointKeeper>(
        new CheckpointKeeper(state.checkpoints(), std::move(key))
    );
}

base::Status CheckpointKeeper::follow_locked(db::Store& store) {
    if (const auto known = broken()) {
        return *known;
    }
    auto followed = memory_.follow(store, telemetry::Scrutiny::hashes);
    if (followed && !began_) {
        followed = telemetry::log_continues(store, directory_);
        began_ = followed.ok();
    }
    if (!followed && followed.error().code == base::Errc::corrupt) {
        base::log_error("audit.not_continued", {{"why", base::to_text(followed.error())}});
        const std::lock_guard lock(mutex_);
        broken_ = followed.error();
        is_broken_.store(true);
    }
    if (!began_) {
        const std::lock_guard lock(mutex_);
        not_compared_ = followed.error();
    } else if (not_compared_) {
        const std::lock_guard lock(mutex_);
        not_compared_.reset();
    }
    return followed;
}

base::Status CheckpointKeeper::follow(db::Store& store) {
    const std::lock_guard lock(looking_);
    return follow_locked(store);
}

base::Status CheckpointKeeper::keep(db::Store& store) {
    const std::lock_guard lock(looking_);
    INTERLOCK_CHECK(follow_locked(store));
    return memory_.keep();
}

std::optional<base::Error> CheckpointKeeper::broken() const {
    if (!is_broken_.load()) {
        return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    return broken_;
}

std::optional<base::Error> CheckpointKeeper::unsound() const {
    const std::lock_guard lock(mutex_);
    return broken_ ? broken_ : not_compared_;
}

std::unique_ptr<telemetry::AuditWriter>
recording_in_a_sound_log(std::unique_ptr<telemetry::AuditWriter> writer, CheckpointKeeper& keeper) {
    return std::make_unique<GuardedWriter>(std::move(writer), keeper);
}

} // namespace interlock::server
