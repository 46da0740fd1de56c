// The chunked transfer coding (RFC 9112, section 7.1), read byte by byte. Beast's own reader ends
// the process on some malformed final chunks that arrive in pieces (an assertion, in 1.81).
// Extensions and trailer fields are checked and then ignored: nothing may come after the head that
// was judged.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace interlock::base {

class ChunkReader {
public:
    enum class State {
        more,     // needs more bytes
        complete, // bytes left over belong to the next request
        malformed,
        too_large, // the body would pass its limit
    };

    explicit ChunkReader(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}
    /// Appends what `bytes` holds of the body to `body`; `used` is how many bytes were read.
    State feed(std::string_view bytes, std::string& body, std::size_t& used);

private:
    enum class Step {
        size,
        extension,
        size_end,
        data,
        data_cr,
        data_end,
        line, // a trailer field, or the empty line
        trailer_name,
        trailer_value,
        trailer_end,
        end,
        complete,
        malformed,
        too_large,
    };
    Step take(char byte, std::size_t body_bytes);
    Step take_size(char byte, std::size_t body_bytes);
    Step take_name(char byte);

    std::size_t body_bytes_max_;
    Step step_ = Step::size;
    std::size_t size_ = 0;   // of the chunk; of what is left of it while data is read
    std::size_t digits_ = 0; // of the size
    std::string name_;       // of a trailer field
};

} // namespace interlock::base
