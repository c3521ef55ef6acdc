#include <cstdio>
int main() { std::puts("vast-gpu " VASTGPU_VERSION); }
