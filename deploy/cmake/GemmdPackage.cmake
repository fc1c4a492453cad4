# The tarball: `cmake --build build/release --target package`. It runs from wherever it is unpacked: every shared library
# but glibc's own, NVRTC and the driver lies in lib/, and the programs look there first.
include_guard()

set(programs gemmd gemmctl gemmd_device_worker gemmd_compile_worker)
foreach(program IN LISTS programs)
  # DT_RPATH, not DT_RUNPATH: it also holds for what the libraries themselves need.
  target_link_options(${program} PRIVATE "LINKER:--disable-new-dtags")
  set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
endforeach()

set_target_properties(libgemmd PROPERTIES INSTALL_RPATH "$ORIGIN")

install(TARGETS ${programs} libgemmd RUNTIME_DEPENDENCY_SET gemmd_libraries
  RUNTIME DESTINATION bin LIBRARY DESTINATION lib)
install(RUNTIME_DEPENDENCY_SET gemmd_libraries
  PRE_EXCLUDE_REGEXES "^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|anl))\\.so\\.[0-9]+$"
  LIBRARY DESTINATION lib)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/client/examples" DESTINATION share/gemmd FILES_MATCHING PATTERN "*.json" PATTERN "*.c" PATTERN "*.py")
install(FILES "${PROJECT_SOURCE_DIR}/client/libgemmd/gemmd.h" DESTINATION include)
install(FILES "${PROJECT_BINARY_DIR}/client/libgemmd/libgemmd.pc" DESTINATION lib/pkgconfig)
install(FILES "${PROJECT_SOURCE_DIR}/client/python/gemmd.py" DESTINATION share/gemmd/python)
install(FILES "${PROJECT_SOURCE_DIR}/client/kernel_spec.schema.json" DESTINATION share/gemmd)
install(FILES "${PROJECT_SOURCE_DIR}/deploy/gemmd.toml" "${PROJECT_SOURCE_DIR}/deploy/systemd/gemmd.service"
  "${PROJECT_SOURCE_DIR}/deploy/grafana/gemmd.json" DESTINATION share/gemmd)
install(FILES "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION .)

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME gemmd)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
string(TOLOWER "gemmd-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" CPACK_PACKAGE_FILE_NAME)
set(CPACK_STRIP_FILES ON)
include(CPack)
