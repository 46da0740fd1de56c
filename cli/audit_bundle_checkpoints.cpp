#include "cli/audit_bundle_checkpoints.hpp"

#include "base/result.hpp"
#include "base/text.hpp"
#include "cli/audit_bundle_names.hpp"
#include "telemetry/tlog_proof.hpp"

#include <utility>

namespace interlock::cli {

namespace {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

constexpr const char* executor_name = "interlock-executor";

Error wrong(const std::string& why) {
    return {
        Errc::invalid_input,
        "This is not an audit bundle: " + why + ".",
        "Use the file exactly as `interlock audit export` wrote it."};
}

class EarlierCheck {
public:
    EarlierCheck(
        const Files& files,
        const BundleHead& head,
        const std::optional<telemetry::SignedNote>& trusted
    )
        : files_(files), head_(head), trusted_(trusted) {}

    EarlierReport run() {
        check_earlier();
        check_trusted_checkpoint();
        return std::move(report_);
    }

private:
    void problem(std::string sentence) { report_.problems.push_back(std::move(sentence)); }
    const std::string* file(const std::string& path) const {
        const auto found = files_.find(path);
        return found == files_.end() ? nullptr : &found->second;
    }

    void check_earlier() {
        for (const auto& [path, content] : files_) {
            if (!path.starts_with(bundle_checkpoints))
                continue;
            const auto beside = path.substr(0, path.rfind('.'));
            if (path != beside + ".note" && path != beside + ".vkey" &&
                path != beside + ".consistency")
                problem("The file " + path + " belongs to no checkpoint.");
            if (file(beside + ".note") == nullptr)
                problem("The file " + path + " belongs to no checkpoint.");
            if (!path.ends_with(".note"))
                continue;
            report_.names.push_back(beside.substr(bundle_checkpoints.size()));
            const auto* key_text = file(beside + ".vkey");
            const auto* proof = file(beside + ".consistency");
            const auto held = check_one_earlier(content, key_text, proof);
            if (held)
                ++report_.held;
            else
                problem("The earlier checkpoint " + path + ": " + held.error().what);
        }
    }

    Status check_one_earlier(
        const std::string& note, const std::string* key_text, const std::string* proof_text
    ) {
        if (key_text == nullptr || proof_text == nullptr)
            return wrong("its key or the proof of consistency is missing");
        INTERLOCK_TRY(const auto key, telemetry::parse_verifier_key(base::trim(*key_text)));
        INTERLOCK_TRY(const auto old, telemetry::verify_checkpoint(note, key.name, key.public_key));
        INTERLOCK_TRY(const auto proof, telemetry::parse_consistency_proof(*proof_text));
        if (proof.checkpoint != head_.note)
            return wrong("its proof leads to another checkpoint");
        INTERLOCK_CHECK(telemetry::verify_consistency_proof(proof, old, head_.key));
        if (key.name == executor_name) {
            report_.executor_keys.emplace_back(base::trim(*key_text));
        }
        return base::done;
    }

    /// The checkpoint that the reader kept: of the same size, or one that the bundle proves from.
    void check_trusted_checkpoint() {
        if (!trusted_)
            return;
        const auto& kept = trusted_->checkpoint;
        const bool same = kept.origin == head_.checkpoint.origin &&
                          kept.size == head_.checkpoint.size && kept.root == head_.checkpoint.root;
        if (same) {
            ++report_.held;
            return;
        }
        const auto* text = file(std::string(bundle_checkpoints) + "since.consistency");
        const auto proof = text != nullptr
                               ? telemetry::parse_consistency_proof(*text)
                               : Result<telemetry::ConsistencyProof>(wrong("there is none"));
        if (!proof || !telemetry::verify_consistency_proof(*proof, kept, head_.key))
            problem(
                "Nothing in the bundle proves that its log continues the checkpoint that you kept, "
                "of size " +
                std::to_string(kept.size) +
                "; ask for an export with --since-checkpoint, and if that fails, the log was cut."
            );
        else
            ++report_.held;
    }

    const Files& files_;
    const BundleHead head_;
    const std::optional<telemetry::SignedNote>& trusted_;
    EarlierReport report_;
};

} // namespace

EarlierReport check_earlier_checkpoints(
    const Files& files, const BundleHead& head, const std::optional<telemetry::SignedNote>& trusted
) {
    return EarlierCheck(files, head, trusted).run();
}

} // namespace interlock::cli
