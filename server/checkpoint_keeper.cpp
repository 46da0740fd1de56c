#include "server/checkpoint_keeper.hpp"

#include "base/file.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/checkpoint.hpp"

#include <utility>

namespace interlock::server {
namespace {

constexpr const char* program = "interlock-server";

} // namespace

CheckpointKeeper::CheckpointKeeper(std::string path, base::SigningKey key)
    : path_(std::move(path)), key_(std::move(key)) {}

base::Result<CheckpointKeeper>
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
    return CheckpointKeeper(beside + ".note", std::move(key));
}

base::Status CheckpointKeeper::keep(db::Store& store) const {
    telemetry::Checkpoint head;
    INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(head, telemetry::audit_head(transaction));
        return base::done;
    }));
    return base::write_file_atomically(
        path_, telemetry::sign_checkpoint(head, program, key_), 0644
    );
}

} // namespace interlock::server
