#include "telemetry/tlog_proof.hpp"

#include "telemetry/merkle.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace interlock::telemetry {

namespace {

constexpr std::string_view format_line = "c2sp.org/tlog-proof@v1";
constexpr std::string_view extra_word = "extra ";
constexpr std::string_view index_word = "index ";
constexpr std::string_view old_word = "old ";
constexpr std::size_t hashes_max = 64; // of a tree of 2^64 leaves; a consistency proof has one more

base::Error malformed(const char* why) {
    return {
        base::Errc::invalid_input,
        std::string("This is not a transparency log proof: ") + why + ".",
        "Use the proof exactly as it was exported."};
}

std::string lines_of(const std::vector<base::Digest>& hashes) {
    std::string text;
    for (const auto& hash : hashes)
        text += base::base64(hash.view()) + '\n';
    return text;
}

/// Takes the text up to the next newline off `rest`; nullopt when there is none.
std::optional<std::string_view> take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos)
        return std::nullopt;
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return line;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end)
        return std::nullopt;
    return value;
}

/// The hashes up to an empty line, and that line.
base::Result<std::vector<base::Digest>> take_hashes(std::string_view& rest) {
    std::vector<base::Digest> hashes;
    for (auto line = take_line(rest); line; line = take_line(rest)) {
        if (line->empty())
            return hashes;
        base::Digest hash;
        const auto bytes = base::from_base64(*line);
        if (!bytes || bytes->size() != hash.bytes.size())
            return malformed("a line of its path is not a SHA-256 hash in base64");
        if (hashes.size() > hashes_max)
            return malformed("its path is longer than that of any tree");
        std::copy(bytes->begin(), bytes->end(), hash.bytes.begin());
        hashes.push_back(hash);
    }
    return malformed("no empty line separates the path from the checkpoint");
}

/// One form only: what is read must be what would be written.
template <class Proof>
base::Result<Proof> same_form(Proof proof, std::string_view text, std::string_view rendered) {
    if (rendered != text)
        return malformed("it is not in the one form in which proofs are written");
    return proof;
}

} // namespace

std::string render_tlog_proof(const TlogProof& proof) {
    std::string text(format_line);
    text += '\n';
    if (!proof.extra.empty())
        text += std::string(extra_word) + base::base64(proof.extra) + '\n';
    text += std::string(index_word) + std::to_string(proof.index) + '\n';
    return text + lines_of(proof.hashes) + '\n' + proof.checkpoint;
}

base::Result<TlogProof> parse_tlog_proof(std::string_view text) {
    auto rest = text;
    if (take_line(rest) != format_line)
        return malformed("its first line does not name the format");
    TlogProof proof;
    auto line = take_line(rest).value_or(std::string_view{});
    if (line.starts_with(extra_word)) {
        const auto extra = base::from_base64(line.substr(extra_word.size()));
        if (!extra || extra->empty())
            return malformed("its extra data is not base64");
        proof.extra = *extra;
        line = take_line(rest).value_or(std::string_view{});
    }
    const auto index = line.starts_with(index_word) ? number(line.substr(index_word.size()))
                                                    : std::optional<std::uint64_t>{};
    if (!index)
        return malformed("it does not say the index of a leaf");
    proof.index = *index;
    INTERLOCK_TRY(proof.hashes, take_hashes(rest));
    proof.checkpoint = rest;
    const auto rendered = render_tlog_proof(proof);
    return same_form(std::move(proof), text, rendered);
}

base::Result<Checkpoint>
verify_tlog_proof(const TlogProof& proof, const base::Digest& leaf, const VerifierKey& key) {
    INTERLOCK_TRY(
        const auto checkpoint, verify_checkpoint(proof.checkpoint, key.name, key.public_key)
    );
    if (!verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root))
        return base::Error{
            base::Errc::changed,
            "The proof does not lead from the leaf at index " + std::to_string(proof.index) +
                " to the root of the checkpoint of size " + std::to_string(checkpoint.size) + ".",
            "The leaf or the proof was changed after it was recorded; do not rely on it."};
    return checkpoint;
}

std::string render_consistency_proof(const ConsistencyProof& proof) {
    return std::string(old_word) + std::to_string(proof.old_size) + '\n' + lines_of(proof.hashes) +
           '\n' + proof.checkpoint;
}

base::Result<ConsistencyProof> parse_consistency_proof(std::string_view text) {
    auto rest = text;
    const auto line = take_line(rest).value_or(std::string_view{});
    const auto old_size = line.starts_with(old_word) ? number(line.substr(old_word.size()))
                                                     : std::optional<std::uint64_t>{};
    if (!old_size)
        return malformed("it does not say the size of the older checkpoint");
    ConsistencyProof proof{*old_size, {}, {}};
    INTERLOCK_TRY(proof.hashes, take_hashes(rest));
    proof.checkpoint = rest;
    const auto rendered = render_consistency_proof(proof);
    return same_form(std::move(proof), text, rendered);
}

base::Result<Checkpoint> verify_consistency_proof(
    const ConsistencyProof& proof, const Checkpoint& old, const VerifierKey& key
) {
    INTERLOCK_TRY(
        const auto checkpoint, verify_checkpoint(proof.checkpoint, key.name, key.public_key)
    );
    const bool same_log = checkpoint.origin == old.origin && proof.old_size == old.size;
    if (!same_log ||
        !verify_consistency(old.size, old.root, checkpoint.size, checkpoint.root, proof.hashes))
        return base::Error{
            base::Errc::changed,
            "The checkpoint of size " + std::to_string(checkpoint.size) +
                " is not proven to continue the one of size " + std::to_string(old.size) + ".",
            "The log was cut, changed or replaced between the two; do not rely on the newer one."};
    return checkpoint;
}

} // namespace interlock::telemetry
