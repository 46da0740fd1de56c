// C2SP tlog-proof (c2sp.org/tlog-proof@v1): a text that proves, without the log, that one leaf
// stands in it: index, inclusion path, and the signed checkpoint of the tree it leads to. And the
// text by which one checkpoint is shown to continue another (the body of C2SP tlog-witness's
// add-checkpoint). What is read is accepted in the one form in which it is written.
#pragma once

#include "base/result.hpp"
#include "telemetry/checkpoint.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::telemetry {

struct TlogProof {
    std::uint64_t index = 0;
    std::vector<base::Digest> hashes; // from the leaf's sibling up
    std::string checkpoint;           // the signed note, verbatim
    std::string extra;                // opaque and not authenticated; "" = none
};
std::string render_tlog_proof(const TlogProof& proof);
/// invalid_input names what is wrong. The note is not looked into.
base::Result<TlogProof> parse_tlog_proof(std::string_view text);
/// The checkpoint, once its signature by `key` holds and the path leads from `leaf` to its root.
/// invalid_signature or changed otherwise.
base::Result<Checkpoint>
verify_tlog_proof(const TlogProof& proof, const base::Digest& leaf, const VerifierKey& key);

struct ConsistencyProof {
    std::uint64_t old_size = 0;
    std::vector<base::Digest> hashes;
    std::string checkpoint; // the newer signed note, verbatim
};
std::string render_consistency_proof(const ConsistencyProof& proof);
base::Result<ConsistencyProof> parse_consistency_proof(std::string_view text);
/// The newer checkpoint, once its signature holds and it is proven to continue `old`.
base::Result<Checkpoint> verify_consistency_proof(
    const ConsistencyProof& proof, const Checkpoint& old, const VerifierKey& key
);

} // namespace interlock::telemetry
