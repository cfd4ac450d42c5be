// swift-tools-version: 6.2
import PackageDescription

// A separate package, so that users of Kumiai do not build it.
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
