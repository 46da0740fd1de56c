#include "telemetry/gzip.hpp"

#include <zlib.h>

namespace interlock::telemetry {

base::Result<std::string> gzip(std::string_view plain) {
    constexpr int level = 1; // spans repeat themselves: more effort finds little more
    constexpr int gzip_window = MAX_WBITS + 16;
    constexpr int memory = 8; // zlib's default
    z_stream stream{};
    if (plain.size() > std::size_t{1} << 30 ||
        ::deflateInit2(&stream, level, Z_DEFLATED, gzip_window, memory, Z_DEFAULT_STRATEGY) !=
            Z_OK) {
        return base::Error{base::Errc::internal, "There is no memory to compress with.", ""};
    }
    std::string packed(::deflateBound(&stream, static_cast<uLong>(plain.size())), '\0');
    // zlib reads only, though its type does not say so.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data())); // NOLINT
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    const int ended = ::deflate(&stream, Z_FINISH);
    packed.resize(packed.size() - stream.avail_out);
    ::deflateEnd(&stream);
    if (ended != Z_STREAM_END) {
        return base::Error{base::Errc::internal, "The text could not be compressed.", ""};
    }
    return packed;
}

} // namespace interlock::telemetry
