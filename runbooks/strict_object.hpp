// Reads a JSON object whose members are all known and all required, of one type each. For bytes
// that must render back to themselves: unknown members are found by that comparison, not here. The
// first problem wins and later reads return defaults, so a function reads straight through.
#pragma once

#include "base/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace interlock::runbooks {

class StrictObject {
public:
    /// `value` and `problem` must outlive the reader. `path` names the object in problems; the
    /// first problem found is put into `problem`.
    StrictObject(const base::Json& value, std::string path, std::string& problem);

    std::string text(const char* key);
    long long integer(const char* key, long long low, long long high);
    bool boolean(const char* key);
    std::vector<std::string> texts(const char* key);
    StrictObject object(const char* key);
    std::optional<StrictObject> object_or_null(const char* key);
    std::vector<StrictObject> objects(const char* key);
    /// A finding of the caller's own, at `key`.
    void fail(const char* key, const char* expected);

private:
    const base::Json& member(const char* key);

    const base::Json* value_;
    std::string path_;
    std::string* problem_;
};

/// ASCII with \u escapes, keys sorted, no white space; bytes that are not UTF-8 become U+FFFD.
std::string canonical_json(const base::Json& value);

} // namespace interlock::runbooks
