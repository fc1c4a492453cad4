# Writes OUTPUT, a C++ file that holds the HEADERS (names relative to ROOT) and the TEMPLATE as string literals.
set(entries "")
foreach(name IN LISTS HEADERS)
  file(READ "${ROOT}/${name}" text)
  string(APPEND entries "    {\"${name}\", R\"__gemmd(${text})__gemmd\"},\n")
endforeach()
file(READ "${ROOT}/${TEMPLATE}" template_text)
file(WRITE "${OUTPUT}" "#include \"kernels_src/embedded.h\"

namespace gemmd {
namespace {

constexpr EmbeddedFile kFiles[] = {
${entries}};
constexpr std::string_view kTemplate = R\"__gemmd(${template_text})__gemmd\";

}  // namespace

std::span<const EmbeddedFile> DeviceLibrary() { return kFiles; }
std::string_view KernelTemplate() { return kTemplate; }

}  // namespace gemmd
")
