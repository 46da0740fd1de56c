#include "base/http_chunks.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>

namespace interlock::base {
namespace {

int hex_value(char letter) {
    if (letter >= '0' && letter <= '9') {
        return letter - '0';
    }
    if (letter >= 'a' && letter <= 'f') {
        return letter - 'a' + 10;
    }
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

bool is_text(char letter) {
    const auto byte = static_cast<unsigned char>(letter);
    return letter == '\t' || (byte >= 0x20 && byte != 0x7F);
}

} // namespace

ChunkReader::State ChunkReader::feed(std::string_view bytes, std::string& body, std::size_t& used) {
    used = 0;
    while (used < bytes.size() && step_ < Step::complete) {
        if (step_ == Step::data) {
            const std::size_t count = std::min(size_, bytes.size() - used);
            body.append(bytes.substr(used, count));
            used += count;
            size_ -= count;
            step_ = size_ == 0 ? Step::data_cr : Step::data;
        } else {
            step_ = take(bytes[used++], body.size());
        }
    }
    switch (step_) {
    case Step::complete:
        return State::complete;
    case Step::malformed:
        return State::malformed;
    case Step::too_large:
        return State::too_large;
    default:
        return State::more;
    }
}

/// Where the reader stands after one byte of framing.
ChunkReader::Step ChunkReader::take(char byte, std::size_t body_bytes) {
    const auto expect = [&](char wanted, Step next) {
        return byte == wanted ? next : Step::malformed;
    };
    switch (step_) {
    case Step::size:
        return take_size(byte, body_bytes);
    case Step::extension:
        return is_text(byte) ? Step::extension : expect('\r', Step::size_end);
    case Step::size_end:
        return expect('\n', size_ == 0 ? Step::line : Step::data);
    case Step::data_cr:
        return expect('\r', Step::data_end);
    case Step::data_end:
        digits_ = 0;
        return expect('\n', Step::size);
    case Step::line:
        name_.assign(1, byte);
        return is_token_character(byte) ? Step::trailer_name : expect('\r', Step::end);
    case Step::trailer_name:
        return take_name(byte);
    case Step::trailer_value:
        return is_text(byte) ? Step::trailer_value : expect('\r', Step::trailer_end);
    case Step::trailer_end:
        return expect('\n', Step::line);
    case Step::end:
        return expect('\n', Step::complete);
    default:
        return Step::malformed;
    }
}

/// A trailer field that speaks of framing could be believed by somebody behind us.
ChunkReader::Step ChunkReader::take_name(char byte) {
    if (is_token_character(byte)) {
        name_ += byte;
        return name_.size() <= limits::chunk_name_bytes_max ? Step::trailer_name : Step::malformed;
    }
    const std::string name = lower_ascii(name_);
    const bool framing = name == "content-length" || name == "transfer-encoding" ||
                         name == "trailer" || name == "host";
    return byte == ':' && !framing ? Step::trailer_value : Step::malformed;
}

ChunkReader::Step ChunkReader::take_size(char byte, std::size_t body_bytes) {
    const int value = hex_value(byte);
    if (value >= 0) {
        size_ = digits_ == 0 ? 0 : size_;
        if (++digits_ > limits::chunk_digits_max) {
            return Step::malformed;
        }
        size_ = size_ * 16 + static_cast<std::size_t>(value);
        return size_ > body_bytes_max_ - std::min(body_bytes_max_, body_bytes) ? Step::too_large
                                                                               : Step::size;
    }
    if (digits_ == 0) {
        return Step::malformed;
    }
    if (byte == ';') {
        return Step::extension;
    }
    return byte == '\r' ? Step::size_end : Step::malformed;
}

} // namespace interlock::base
