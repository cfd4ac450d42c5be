// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that users of Kumiai don't build it.
let package = Package(
    name: "benchmarks",
    dependencies: [
        .package(name: "kumiai", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .systemLibrary(name: "COpenSSLBaseline", pkgConfig: "openssl"),
        .executableTarget(
            name: "KumiaiBenchmarks",
            dependencies: [
                "COpenSSLBaseline", .product(name: "KumiaiLibrary", package: "kumiai"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
