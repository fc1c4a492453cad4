#include "server/status_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_view.h"

namespace gemmd {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StatusPageTest, ShowsWhatAnOperatorLooksFor) {
  const std::string page = StatusPage(SampleView());
  for (const char* text : {"gemmd 9.8.7: serving",
                           "Up 1h6m40s",
                           "3.0 MiB resident",
                           "<td>cuda:0</td>",
                           "<td>no worker</td>",
                           "A GPU",
                           ">1234<",
                           "5.0 MiB",
                           "killed by SIGKILL, 1m30s ago",
                           "<td>compiles</td>",
                           "<td>launches on cuda:0</td>",
                           ">62<",
                           ">7<",
                           "OK 70, UNAVAILABLE 2",
                           "<td>0123456789ab</td>",
                           ">99<",
                           "wgmma 128x128x64",
                           "req-1",
                           "5s ago",
                           "<td>fedcba987654</td>",
                           "7m ago",
                           "killed by SIGSEGV"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST(StatusPageTest, NoTextFromElsewhereBecomesMarkup) {
  const std::string page = StatusPage(SampleView());
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;"));
  EXPECT_THAT(page, HasSubstr("a &lt; b &amp; c"));
  EXPECT_THAT(page, HasSubstr("nvrtc 13.0 &lt;build&gt;"));
}

TEST(StatusPageTest, SaysWhatIsNotThere) {
  DaemonView view = SampleView();
  view.serving = false;
  view.compiler.clear();
  view.failures.clear();
  const std::string page = StatusPage(view);
  EXPECT_THAT(page, HasSubstr("draining"));
  EXPECT_THAT(page, HasSubstr("No compiler"));
  EXPECT_THAT(page, HasSubstr("<h2>Recent faults</h2>\n<p>None.</p>"));
}

}  // namespace
}  // namespace gemmd
