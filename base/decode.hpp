// Reads typed values out of the string-only JSON that parse_yaml returns. Every error names the
// path (`targets[0].name`), what was expected and what was found. Unknown keys are errors: a
// misspelt key in a contract or configuration must not be silently ignored.
#pragma once

#include "base/json.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::base {

/// A mapping being read. Collects which keys were asked for; finish() refuses the rest. The first
/// error wins and later reads return defaults, so a function reads straight through and checks
/// once at the end.
class Decoder {
public:
    /// `document` must outlive the decoder. `path` is "" at the root.
    Decoder(const Json& document, std::string path);

    std::string text(const std::string& key); // required, non-empty
    std::string text_or(const std::string& key, std::string fallback);
    long long integer(const std::string& key, long long low, long long high); // required
    long long integer_or(const std::string& key, long long low, long long high, long long fallback);
    double real(const std::string& key, double low, double high); // required
    bool boolean_or(const std::string& key, bool fallback);       // true | false only
    /// One of `choices`; the error lists them.
    std::string choice(const std::string& key, const std::vector<std::string>& choices);
    /// A duration such as 500ms, 10s, 30m, 2h, 7d.
    std::chrono::milliseconds
    duration_or(const std::string& key, std::chrono::milliseconds fallback);
    std::vector<std::string> texts(const std::string& key); // may be absent: empty
    bool has(const std::string& key);
    /// A key that is there with nothing behind it is an error: all its lines may have been
    /// commented out, and what it protects would be switched off.
    void refuse_empty(const std::string& key);
    /// A nested mapping (required) and a list of mappings (absent: empty). finish() of this one
    /// also refuses the unknown keys of those.
    Decoder mapping(const std::string& key);
    std::vector<Decoder> mappings(const std::string& key);
    /// The keys of a nested mapping of text to text, sorted by key (absent: empty).
    std::vector<std::pair<std::string, std::string>> pairs(const std::string& key);

    /// A finding of the caller's own, at `key`.
    void fail(const std::string& key, std::string problem);
    /// The first error of this decoder or of any decoder made from it, or unknown keys.
    Status finish();

private:
    struct Shared;
    Decoder(
        const Json& document, std::string path, std::shared_ptr<Shared> shared, std::size_t parent
    );
    const Json* find(const std::string& key);
    const std::string* scalar(const std::string& key, std::string_view expected);
    std::string at(const std::string& key) const;
    void report(const std::string& where, const std::string& problem);

    const Json* document_;
    std::string path_;
    std::shared_ptr<Shared> shared_;
    std::size_t index_; // of this mapping in Shared
};

} // namespace interlock::base
