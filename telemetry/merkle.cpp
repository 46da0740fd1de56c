#include "telemetry/merkle.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

namespace interlock::telemetry {

namespace {

using Leaves = std::vector<base::Digest>;

/// The largest power of two below `count`: where RFC 6962 splits a tree of two leaves or more.
std::uint64_t split_point(std::uint64_t count) {
    return std::bit_floor(count - 1);
}

base::Digest root_of(const Leaves& leaves, std::uint64_t begin, std::uint64_t end) {
    if (end - begin == 1)
        return leaves[begin];
    const auto middle = begin + split_point(end - begin);
    return node_hash(root_of(leaves, begin, middle), root_of(leaves, middle, end));
}

void inclusion_path(
    const Leaves& leaves, std::uint64_t begin, std::uint64_t end, std::uint64_t index, Leaves& proof
) {
    if (end - begin == 1)
        return;
    const auto middle = begin + split_point(end - begin);
    if (index < middle) {
        inclusion_path(leaves, begin, middle, index, proof);
        proof.push_back(root_of(leaves, middle, end));
    } else {
        inclusion_path(leaves, middle, end, index, proof);
        proof.push_back(root_of(leaves, begin, middle));
    }
}

/// SUBPROOF of RFC 6962 section 2.1.2. `known` says that the verifier already has the root of
/// [begin, old_end): then it is left out when the recursion arrives at exactly that subtree.
void consistency_path(
    const Leaves& leaves,
    std::uint64_t begin,
    std::uint64_t end,
    std::uint64_t old_end,
    bool known,
    Leaves& proof
) {
    if (old_end == end) {
        if (!known)
            proof.push_back(root_of(leaves, begin, end));
        return;
    }
    const auto middle = begin + split_point(end - begin);
    if (old_end <= middle) {
        consistency_path(leaves, begin, middle, old_end, known, proof);
        proof.push_back(root_of(leaves, middle, end));
    } else {
        consistency_path(leaves, middle, end, old_end, false, proof);
        proof.push_back(root_of(leaves, begin, middle));
    }
}

base::Error not_a_frontier(const char* why) {
    return {
        base::Errc::corrupt,
        std::string("The stored frontier of the audit log cannot be read: ") + why + ".",
        "Restore the store from a copy whose audit log verifies."};
}

} // namespace

base::Digest leaf_hash(std::string_view entry) {
    std::string input(1, '\x00');
    input.append(entry);
    return base::sha256(input);
}

base::Digest node_hash(const base::Digest& left, const base::Digest& right) {
    std::string input(1, '\x01');
    input.append(left.view());
    input.append(right.view());
    return base::sha256(input);
}

void Frontier::append(const base::Digest& leaf) {
    // Each trailing one bit of the size is a perfect subtree that the new leaf completes.
    auto merged = leaf;
    for (auto rest = size_; (rest & 1) != 0; rest >>= 1) {
        merged = node_hash(nodes_.back(), merged);
        nodes_.pop_back();
    }
    nodes_.push_back(merged);
    ++size_;
}

base::Digest Frontier::root() const {
    if (nodes_.empty())
        return base::sha256({});
    auto root = nodes_.back();
    for (auto node = std::next(nodes_.rbegin()); node != nodes_.rend(); ++node)
        root = node_hash(*node, root);
    return root;
}

std::string Frontier::to_text() const {
    auto text = std::to_string(size_);
    for (const auto& node : nodes_)
        text += ' ' + base::hex(node);
    return text;
}

base::Result<Frontier> Frontier::parse(std::string_view text) {
    Frontier frontier;
    const auto [rest, error] =
        std::from_chars(text.data(), text.data() + text.size(), frontier.size_);
    if (error != std::errc{})
        return not_a_frontier("it does not begin with a size");
    auto hashes = text.substr(static_cast<std::size_t>(rest - text.data()));
    constexpr std::size_t node_characters = 1 + 64;
    const auto nodes = static_cast<std::size_t>(std::popcount(frontier.size_));
    if (hashes.size() != nodes * node_characters)
        return not_a_frontier("its size and its number of hashes do not agree");
    for (; !hashes.empty(); hashes.remove_prefix(node_characters)) {
        INTERLOCK_TRY(auto node, base::digest_from_hex(hashes.substr(1, node_characters - 1)));
        frontier.nodes_.push_back(node);
    }
    if (frontier.to_text() != text)
        return not_a_frontier("it is not in the one form in which it is written");
    return frontier;
}

base::Digest merkle_root(const std::vector<base::Digest>& leaves) {
    return leaves.empty() ? base::sha256({}) : root_of(leaves, 0, leaves.size());
}

std::vector<base::Digest>
inclusion_proof(const std::vector<base::Digest>& leaves, std::uint64_t index) {
    Leaves proof;
    if (index < leaves.size())
        inclusion_path(leaves, 0, leaves.size(), index, proof);
    return proof;
}

std::vector<base::Digest>
consistency_proof(const std::vector<base::Digest>& leaves, std::uint64_t old_size) {
    Leaves proof;
    if (old_size > 0 && old_size < leaves.size())
        consistency_path(leaves, 0, leaves.size(), old_size, true, proof);
    return proof;
}

// The two verifiers walk up from a leaf. `index` is the position at the present level and `last`
// that of the level's last node. A node that is last and even has no sibling there: it rises
// unchanged to the level where it has one.

bool verify_inclusion(
    const base::Digest& leaf,
    std::uint64_t index,
    std::uint64_t size,
    const std::vector<base::Digest>& proof,
    const base::Digest& root
) {
    if (index >= size)
        return false;
    auto last = size - 1;
    auto hash = leaf;
    for (const auto& sibling : proof) {
        if (last == 0)
            return false;
        if ((index & 1) != 0 || index == last) {
            hash = node_hash(sibling, hash);
            const auto risen = std::countr_zero(index); // 0 when it is a right child here
            index >>= risen;
            last >>= risen;
        } else {
            hash = node_hash(hash, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    return last == 0 && base::equal(hash.view(), root.view());
}

bool verify_consistency(
    std::uint64_t old_size,
    const base::Digest& old_root,
    std::uint64_t new_size,
    const base::Digest& new_root,
    const std::vector<base::Digest>& proof
) {
    if (old_size > new_size)
        return false;
    if (old_size == new_size)
        return proof.empty() && base::equal(old_root.view(), new_root.view());
    if (old_size == 0)
        return proof.empty() && base::equal(old_root.view(), base::sha256({}).view());

    // Start at the largest perfect subtree that ends the old tree. When that is the whole old
    // tree, its hash is the old root and does not stand in the proof.
    auto index = old_size - 1;
    auto last = new_size - 1;
    const auto risen = std::countr_one(index);
    index >>= risen;
    last >>= risen;
    auto next = proof.begin();
    auto old_hash = old_root;
    if (index != 0) {
        if (next == proof.end())
            return false;
        old_hash = *next++;
    }
    auto new_hash = old_hash;
    for (; next != proof.end(); ++next) {
        if (last == 0)
            return false;
        if ((index & 1) != 0 || index == last) {
            old_hash = node_hash(*next, old_hash);
            new_hash = node_hash(*next, new_hash);
            const auto lone = std::countr_zero(index);
            index >>= lone;
            last >>= lone;
        } else {
            new_hash = node_hash(new_hash, *next);
        }
        index >>= 1;
        last >>= 1;
    }
    return last == 0 && base::equal(old_hash.view(), old_root.view()) &&
           base::equal(new_hash.view(), new_root.view());
}

} // namespace interlock::telemetry
