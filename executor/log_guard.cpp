#include "executor/log_guard.hpp"

#include "base/file.hpp"
#include "telemetry/audit_log.hpp"

#include <filesystem>

namespace interlock::executor {

namespace {

using base::Errc;
using base::Error;

constexpr std::size_t note_bytes_max = 4096; // three short lines and a signature
constexpr auto remedy =
    "Nothing is executed until a person has compared the queue with its backups, run `interlock "
    "audit verify`, and moved the executor's checkpoint away on purpose.";

/// The public half beside the note, so that anybody can check it.
std::string vkey_path(const std::string& note_path) {
    return std::filesystem::path(note_path).replace_extension(".vkey").string();
}

Error corrupt(std::string what) {
    return {Errc::corrupt, std::move(what), remedy};
}

} // namespace

LogGuard::LogGuard(db::Store& store, std::string note_path, base::SigningKey key)
    : store_(store), note_path_(std::move(note_path)), key_(std::move(key)) {}

base::Status LogGuard::check() {
    std::vector<telemetry::Checkpoint> known;
    auto note = base::read_file(note_path_, note_bytes_max);
    if (note.ok()) {
        auto checkpoint = telemetry::verify_checkpoint(*note, checkpoint_name, key_.public_key);
        if (!checkpoint.ok()) {
            return corrupt(
                "The executor's own checkpoint " + note_path_ +
                " does not verify: " + checkpoint.error().what
            );
        }
        known.push_back(std::move(checkpoint).value());
    } else if (note.error().code != Errc::not_found) {
        return note.error();
    }
    INTERLOCK_TRY(const auto found, telemetry::verify_audit(store_, known));
    if (!found.problems.empty()) {
        return corrupt(
            "The audit log is damaged or has lost entries (" +
            std::to_string(found.problems.size()) + " problems): " + found.problems.front()
        );
    }
    return base::done;
}

base::Status LogGuard::remember() {
    telemetry::Checkpoint head;
    INTERLOCK_CHECK(store_.read([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(head, telemetry::audit_head(transaction));
        return base::done;
    }));
    INTERLOCK_CHECK(base::write_file_atomically(
        vkey_path(note_path_),
        telemetry::verifier_key(checkpoint_name, key_.public_key) + "\n",
        0644
    ));
    return base::write_file_atomically(
        note_path_, telemetry::sign_checkpoint(head, checkpoint_name, key_), 0644
    );
}

} // namespace interlock::executor
