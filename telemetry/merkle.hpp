// RFC 6962 Merkle tree: leaf SHA256(0x00 || entry), node SHA256(0x01 || left || right). Appending
// needs the O(log n) frontier only.
#pragma once

#include "base/digest.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::telemetry {

base::Digest leaf_hash(std::string_view entry);
base::Digest node_hash(const base::Digest& left, const base::Digest& right);

/// The roots of the perfect subtrees of the first `size` leaves, largest first.
class Frontier {
public:
    Frontier() = default;
    void append(const base::Digest& leaf);
    std::uint64_t size() const { return size_; }
    base::Digest root() const;
    /// size || hashes as text, to be stored; parse() refuses anything that to_text() cannot give.
    std::string to_text() const;
    static base::Result<Frontier> parse(std::string_view text);

private:
    std::uint64_t size_ = 0;
    std::vector<base::Digest> nodes_;
};

/// Root of all leaves by definition; for verification and tests.
base::Digest merkle_root(const std::vector<base::Digest>& leaves);
/// RFC 6962 section 2.1.1 and 2.1.2, over leaf hashes held in memory.
std::vector<base::Digest>
inclusion_proof(const std::vector<base::Digest>& leaves, std::uint64_t index);
std::vector<base::Digest>
consistency_proof(const std::vector<base::Digest>& leaves, std::uint64_t old_size);
bool verify_inclusion(
    const base::Digest& leaf,
    std::uint64_t index,
    std::uint64_t size,
    const std::vector<base::Digest>& proof,
    const base::Digest& root
);
bool verify_consistency(
    std::uint64_t old_size,
    const base::Digest& old_root,
    std::uint64_t new_size,
    const base::Digest& new_root,
    const std::vector<base::Digest>& proof
);

} // namespace interlock::telemetry
