# What a package holds beside the program, and how CPack makes .deb and .tar.gz of it: scripts/package.
include(GNUInstallDirs)

# Man page and completion are printed by the program itself, so they know what it knows.
if(NOT VASTGPU_SANITIZE)
  set(texts ${PROJECT_BINARY_DIR}/texts)
  add_custom_command(
    OUTPUT ${texts}/vast-gpu.1.gz ${texts}/vast-gpu ${texts}/_vast-gpu ${texts}/vast-gpu.fish
    COMMAND ${CMAKE_COMMAND} -E make_directory ${texts}
    COMMAND vast-gpu man > ${texts}/vast-gpu.1
    COMMAND gzip -9nf ${texts}/vast-gpu.1
    COMMAND vast-gpu completion bash > ${texts}/vast-gpu
    COMMAND vast-gpu completion zsh > ${texts}/_vast-gpu
    COMMAND vast-gpu completion fish > ${texts}/vast-gpu.fish
    DEPENDS vast-gpu
    COMMENT "Printing man page and completion"
    VERBATIM)
  add_custom_target(texts ALL DEPENDS ${texts}/vast-gpu.1.gz)
  install(FILES ${texts}/vast-gpu.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${texts}/vast-gpu DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${texts}/_vast-gpu DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES ${texts}/vast-gpu.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# The same program, which looks for its libraries beside itself; they travel with it in the .mcpb bundle. The old
# kind of rpath, since the new one does not hold for what those libraries need themselves.
add_executable(vast-gpu-bundled EXCLUDE_FROM_ALL $<TARGET_OBJECTS:vast-gpu>)
target_link_libraries(vast-gpu-bundled PRIVATE vastgpu_server vastgpu_sandbox deps::cli11)
set_target_properties(vast-gpu-bundled PROPERTIES BUILD_RPATH "$ORIGIN/../lib")
target_link_options(vast-gpu-bundled PRIVATE LINKER:--disable-new-dtags)
vastgpu_own_target(vast-gpu-bundled)

set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # a package needs no tests
set(doc ${CMAKE_INSTALL_DATADIR}/doc/vast-gpu)
install(FILES README.md DESTINATION ${doc})
install(FILES LICENSE DESTINATION ${doc} RENAME copyright)
install(DIRECTORY docs DESTINATION ${doc} FILES_MATCHING PATTERN "*.md" PATTERN "*.png")
install(DIRECTORY examples DESTINATION ${doc} PATTERN "__pycache__" EXCLUDE)
# A marketplace of one plugin: claude plugin marketplace add /usr/share/vast-gpu
install(DIRECTORY .claude-plugin plugins DESTINATION ${CMAKE_INSTALL_DATADIR}/vast-gpu)

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME vast-gpu)
set(CPACK_PACKAGE_VENDOR "the vast-gpu maintainers")
set(CPACK_PACKAGE_CONTACT "the vast-gpu maintainers <maintainers@vast-gpu.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "rents GPUs on Vast.ai for coding assistants, over MCP")
set(CPACK_PACKAGE_DESCRIPTION
    "An MCP server that works out what a training task needs, shows three priced options,
rents the chosen machine, runs the experiment, brings the results home and ends the bill.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# libarchive is loaded when first needed, so nothing else tells that it is.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, libarchive13 | libarchive13t64")
# What the machines of the sandbox are made of.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "openssh-server, screen, python3, rsync, zstd")
include(CPack)
