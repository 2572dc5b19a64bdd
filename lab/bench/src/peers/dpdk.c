/* DPDK's generic segmentation offload, for a packet like the benchmark's. It lends the payload, as
 * the filter does, and makes no checksums; these are made after it, where they are asked for. */

#include <string.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_gso.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#define ETHERNET 14
#define IPV4 20
#define TCP 32
#define MOST_SEGMENTS 512

static struct rte_gso_ctx context;
static struct rte_mempool *packets;
static struct rte_mbuf *parent;
static struct rte_mbuf_ext_shared_info shared;

static void keep(void *memory, void *opaque) {
    (void)memory;
    (void)opaque;
}

int mslso_dpdk_start(void) {
    static char *arguments[] = {"mslso-bench", "--no-huge", "--no-pci",      "--no-shconf",
                                "-m",          "128",       "--no-telemetry", "--log-level=error"};
    if (rte_eal_init(8, arguments) < 0)
        return 1;
    packets = rte_pktmbuf_pool_create("packets", 8191, 256, 0, 256 + RTE_PKTMBUF_HEADROOM, 0);
    if (packets == NULL)
        return 2;
    context.direct_pool = packets;
    context.indirect_pool = packets;
    context.gso_types = RTE_ETH_TX_OFFLOAD_TCP_TSO;
    return 0;
}

/* Makes the packet that is segmented: `header`, and `payload` in buffers of so many bytes. */
int mslso_dpdk_packet(const void *header, void *payload, uint32_t length, const uint32_t *buffers,
                      uint32_t count, uint16_t segment) {
    struct rte_mbuf *last;
    uint32_t done = 0;

    rte_pktmbuf_free(parent);
    parent = last = rte_pktmbuf_alloc(packets);
    if (parent == NULL)
        return 1;
    memcpy(rte_pktmbuf_append(parent, ETHERNET + IPV4 + TCP), header, ETHERNET + IPV4 + TCP);
    shared.free_cb = keep;
    rte_mbuf_ext_refcnt_set(&shared, UINT16_MAX / 2);
    for (uint32_t index = 0; index < count && done < length; index++) {
        struct rte_mbuf *part = rte_pktmbuf_alloc(packets);
        uint32_t bytes = RTE_MIN(buffers[index], length - done);
        if (part == NULL)
            return 1;
        rte_pktmbuf_attach_extbuf(part, (char *)payload + done, 0, UINT16_MAX, &shared);
        part->data_off = 0;
        part->data_len = bytes;
        last->next = part;
        last = part;
        parent->nb_segs++;
        done += bytes;
    }
    parent->pkt_len = ETHERNET + IPV4 + TCP + done;
    parent->l2_len = ETHERNET;
    parent->l3_len = IPV4;
    parent->l4_len = TCP;
    parent->ol_flags |= RTE_MBUF_F_TX_IPV4;
    context.gso_size = ETHERNET + IPV4 + TCP + segment;
    return done == length ? 0 : 2;
}

static void checksum(struct rte_mbuf *packet) {
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(packet, struct rte_ipv4_hdr *, ETHERNET);
    struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    tcp->cksum = 0;
    tcp->cksum = rte_ipv4_udptcp_cksum_mbuf(packet, ip, ETHERNET + IPV4);
}

/* Segments and frees so many times. Returns how many segments were made the last time. */
int mslso_dpdk_run(uint32_t times, int checksums) {
    struct rte_mbuf *segments[MOST_SEGMENTS];
    int made = 0;

    while (times-- > 0) {
        /* It takes the flag away. */
        parent->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
        made = rte_gso_segment(parent, &context, segments, MOST_SEGMENTS);
        for (int index = 0; checksums && index < made; index++)
            checksum(segments[index]);
        for (int index = 0; index < made; index++)
            rte_pktmbuf_free(segments[index]);
    }
    return made;
}
