// Proofs about a log that is too long to be held in memory: its leaf hashes pass by once, in order,
// and only what the wanted proofs are made of is kept.
#pragma once

#include "telemetry/merkle.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace interlock::telemetry {

class ProofBuilder {
public:
    /// Leaves whose inclusion, and earlier sizes whose consistency is to be proven. Those that the
    /// log does not reach get no proof.
    ProofBuilder(std::vector<std::uint64_t> leaves, std::vector<std::uint64_t> old_sizes);
    void append(const base::Digest& leaf);
    /// When all leaves have passed: completes the proofs.
    void finish();

    std::uint64_t size() const { return size_; }
    /// After finish().
    base::Digest root() const { return root_; }
    /// RFC 6962 section 2.1.1; as inclusion_proof().
    std::vector<base::Digest> inclusion(std::uint64_t leaf) const;
    /// RFC 6962 section 2.1.2; as consistency_proof().
    std::vector<base::Digest> consistency(std::uint64_t old_size) const;

private:
    /// The root of a perfect subtree, and the wanted leaves below it.
    struct Node {
        base::Digest hash;
        std::uint64_t leaves = 1;
        std::vector<std::uint64_t> wanted;
    };
    Node join(Node left, Node right);

    std::vector<std::uint64_t> old_sizes_; // sorted
    std::size_t next_old_ = 0;
    std::map<std::uint64_t, std::vector<base::Digest>> paths_; // wanted leaf -> siblings so far
    std::map<std::uint64_t, base::Digest> last_subtrees_;      // old size -> its last subtree
    std::vector<Node> nodes_;                                  // as in Frontier
    std::uint64_t size_ = 0;
    base::Digest root_ = merkle_root({});
};

} // namespace interlock::telemetry
