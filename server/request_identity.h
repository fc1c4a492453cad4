// How one call is told from others, in logs and across services.
#pragma once

#include <string>
#include <string_view>

namespace gemmd {

struct RequestIdentity {
  std::string request_id;  // the client's, or made here
  std::string trace_id;    // of the client's W3C trace context, 32 hex digits; empty where it sent none
  std::string parent_id;   // its span, 16 hex digits
};

// Of the metadata x-request-id and traceparent as they came, empty where they did not. What is malformed counts as
// absent: an id has 1 to 128 letters, digits and characters of "-_.:/", so that it is one word of a log's line.
RequestIdentity MakeRequestIdentity(std::string_view request_id, std::string_view traceparent);

}  // namespace gemmd
