// What one connection remembers of the texts it was given: which are proven to be reads, which
// failed, and which the server holds prepared. A text is prepared when it comes a second time, so
// that the fixed statements of tools are parsed and planned once a connection, and what callers
// wrote once is not kept.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace interlock::db {

class Statements {
public:
    struct Known {
        bool proven = false;   // by the first fence of reader_connection.cpp
        bool seen = false;     // was sent before
        bool failed = false;   // the last time it was sent
        bool prepared = false; // the server has it under `name`
        bool stale = false;    // a prepared form of it went bad: never prepare it again
        std::string name;      // "" = not to be prepared
    };

    /// References stay good until make_room().
    Known& operator[](std::string_view text);
    /// To be called between reads. True: there were too many, all are forgotten, and the server
    /// must forget its part too (DEALLOCATE ALL).
    bool make_room();
    /// Counts one sending. After it, `known.name` says under which name to prepare it, if at all.
    void send(Known& known);
    /// The name to prepare it under, whether or not it was sent before.
    const std::string& name(Known& known);
    /// Off until it is known that one backend answers: behind a pooler a prepared statement may be
    /// another backend's.
    void allow_preparing(bool allowed) { allowed_ = allowed; }

private:
    struct Hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    std::unordered_map<std::string, Known, Hash, std::equal_to<>> known_;
    std::size_t named_ = 0;
    bool allowed_ = false;
};

} // namespace interlock::db
