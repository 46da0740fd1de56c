#include "telemetry/merkle_proofs.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace interlock::telemetry {

ProofBuilder::ProofBuilder(std::vector<std::uint64_t> leaves, std::vector<std::uint64_t> old_sizes)
    : old_sizes_(std::move(old_sizes)) {
    std::sort(old_sizes_.begin(), old_sizes_.end());
    for (const auto leaf : leaves)
        paths_[leaf];
    // A consistency proof is the path of the old tree's last leaf, from its last subtree up.
    for (const auto size : old_sizes_) {
        if (size > 0)
            paths_[size - 1];
    }
}

ProofBuilder::Node ProofBuilder::join(Node left, Node right) {
    for (const auto leaf : left.wanted)
        paths_[leaf].push_back(right.hash);
    for (const auto leaf : right.wanted)
        paths_[leaf].push_back(left.hash);
    left.hash = node_hash(left.hash, right.hash);
    left.leaves += right.leaves;
    left.wanted.insert(left.wanted.end(), right.wanted.begin(), right.wanted.end());
    return left;
}

void ProofBuilder::append(const base::Digest& leaf) {
    Node node{leaf, 1, {}};
    if (paths_.contains(size_))
        node.wanted.push_back(size_);
    for (; !nodes_.empty() && nodes_.back().leaves == node.leaves; nodes_.pop_back())
        node = join(std::move(nodes_.back()), std::move(node));
    nodes_.push_back(std::move(node));
    ++size_;
    for (; next_old_ < old_sizes_.size() && old_sizes_[next_old_] <= size_; ++next_old_) {
        if (old_sizes_[next_old_] == size_)
            last_subtrees_[size_] = nodes_.back().hash;
    }
}

void ProofBuilder::finish() {
    if (nodes_.empty())
        return;
    auto node = std::move(nodes_.back());
    for (nodes_.pop_back(); !nodes_.empty(); nodes_.pop_back())
        node = join(std::move(nodes_.back()), std::move(node));
    root_ = node.hash;
}

std::vector<base::Digest> ProofBuilder::inclusion(std::uint64_t leaf) const {
    const auto path = paths_.find(leaf);
    return path == paths_.end() || leaf >= size_ ? std::vector<base::Digest>{} : path->second;
}

std::vector<base::Digest> ProofBuilder::consistency(std::uint64_t old_size) const {
    const auto subtree = last_subtrees_.find(old_size);
    if (subtree == last_subtrees_.end() || old_size >= size_)
        return {};
    const auto& path = paths_.at(old_size - 1);
    std::vector<base::Digest> proof;
    // When the old tree is one perfect subtree, whoever checks has its hash: the old root.
    if (!std::has_single_bit(old_size))
        proof.push_back(subtree->second);
    const auto within = std::countr_zero(old_size); // levels below the last subtree's root
    proof.insert(proof.end(), path.begin() + within, path.end());
    return proof;
}

} // namespace interlock::telemetry
