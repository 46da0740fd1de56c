#include "telemetry/kept_checkpoints.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "telemetry/log_memory.hpp"

#include <algorithm>
#include <filesystem>

namespace interlock::telemetry {

namespace {

constexpr std::size_t note_bytes_max = 4096; // a checkpoint is about 200 bytes

} // namespace

base::Result<SignedNote> read_checkpoint(const std::string& path, const std::string& verifier_key) {
    INTERLOCK_TRY(std::string note, base::read_file(path, note_bytes_max));
    INTERLOCK_TRY(const auto key, parse_verifier_key(verifier_key));
    INTERLOCK_TRY(const auto checkpoint, verify_checkpoint(note, key.name, key.public_key));
    return SignedNote{
        std::filesystem::path(path).stem().string(), std::move(note), verifier_key, checkpoint};
}

KeptCheckpoints kept_checkpoints(const std::string& directory) {
    KeptCheckpoints kept;
    std::vector<std::filesystem::path> paths;
    std::error_code problem;
    for (std::filesystem::directory_iterator entry(directory, problem), end;
         !problem && entry != end;
         entry.increment(problem)) {
        if (entry->path().extension() == ".note") {
            paths.push_back(entry->path());
        }
    }
    // Without them a log that was cut looks whole: that nobody could look is a finding.
    if (problem && problem != std::errc::no_such_file_or_directory) {
        kept.problems.push_back(
            "The checkpoints in " + directory + " cannot be read: " + problem.message() + "."
        );
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
        auto key_path = path;
        key_path.replace_extension(".vkey");
        const auto key = base::read_file(key_path.string(), note_bytes_max);
        auto note = read_checkpoint(path.string(), key ? std::string(base::trim(*key)) : "");
        if (note) {
            kept.notes.push_back(std::move(note).value());
        } else {
            kept.problems.push_back("Checkpoint " + path.string() + ": " + note.error().what);
        }
    }
    return kept;
}

base::Status log_continues(db::Store& store, const std::string& directory) {
    const auto kept = kept_checkpoints(directory);
    if (!kept.problems.empty())
        return base::Error{
            base::Errc::corrupt,
            kept.problems.front(),
            "Run `interlock audit verify`, and decide once it is clear what happened."};
    for (const auto& note : kept.notes) {
        INTERLOCK_TRY(const auto key, parse_verifier_key(note.key));
        LogMemory memory(directory + "/" + note.program + ".note", key.name, {"", key.public_key});
        auto followed = memory.follow(store, Scrutiny::hashes);
        if (!followed) {
            auto error = followed.error();
            error.what =
                "By the checkpoint " + directory + "/" + note.program + ".note: " + error.what;
            return error;
        }
    }
    return base::done;
}

} // namespace interlock::telemetry
